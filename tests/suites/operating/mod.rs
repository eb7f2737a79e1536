//! What an operator's machinery sees of a host: its configuration, its health, its notices, its reloads.

mod configuration;

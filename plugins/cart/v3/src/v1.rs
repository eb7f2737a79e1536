//! What 1.0.0 left.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::v2;

/// The one that all shops had that ran 1.0.0.
const CURRENCY: &str = "EUR";

/// Schema 1: never to be changed.
#[derive(Deserialize)]
pub(crate) struct Cart {
    items: BTreeMap<String, u32>,
    orders: u64,
}

/// As 2.0.0 did it: prices are not known.
impl From<Cart> for v2::Cart {
    fn from(old: Cart) -> Self {
        let items = old.items.into_iter().map(|(name, quantity)| v2::Item { name, quantity, price_cents: None });
        Self { currency: CURRENCY.to_owned(), items: items.collect(), orders: old.orders }
    }
}

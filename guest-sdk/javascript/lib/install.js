// The first import of a bundle: modules run in the order of their imports.

import { install } from "./globals.js";

install();

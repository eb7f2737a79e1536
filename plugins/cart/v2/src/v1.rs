//! What 1.0.0 left.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Item;

/// The one that all shops had that ran 1.0.0.
const CURRENCY: &str = "EUR";

/// Schema 1: never to be changed.
#[derive(Deserialize)]
pub(crate) struct Cart {
    items: BTreeMap<String, u32>,
    orders: u64,
}

/// Prices are not known: the shop names them before the cart can be checked out.
impl From<Cart> for crate::Cart {
    fn from(old: Cart) -> Self {
        let items = old.items.into_iter().map(|(name, quantity)| Item { name, quantity, price_cents: None });
        Self { currency: CURRENCY.to_owned(), items: items.collect(), orders: old.orders }
    }
}

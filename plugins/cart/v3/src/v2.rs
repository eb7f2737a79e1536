//! What 2.0.0 and 2.1.0 left.

use serde::Deserialize;

use crate::Line;

/// Schema 2: never to be changed.
#[derive(Deserialize)]
pub(crate) struct Cart {
    pub(crate) currency: String,
    pub(crate) items: Vec<Item>,
    pub(crate) orders: u64,
}

#[derive(Deserialize)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price_cents: Option<u64>,
}

/// Lines are numbered in the order of the items. 2.1.0 counts on that for its way back.
impl From<Cart> for crate::Cart {
    fn from(old: Cart) -> Self {
        let line = |Item { name, quantity, price_cents }| Line { item: name, quantity, price_cents };
        let lines: std::collections::BTreeMap<u32, Line> = (1..).zip(old.items.into_iter().map(line)).collect();
        let next_line = lines.last_key_value().map_or(1, |(last, _)| last + 1);
        Self { currency: old.currency, lines, next_line, coupons: Vec::new(), orders: old.orders }
    }
}

//! What 3.0.0 will leave: the way back from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::Item;

/// Schema 3.
#[derive(Deserialize)]
pub(crate) struct Cart {
    currency: String,
    lines: BTreeMap<u32, Line>,
    next_line: u32,
    coupons: Vec<Coupon>,
    orders: u64,
}

#[derive(Deserialize)]
struct Line {
    item: String,
    quantity: u32,
    price_cents: Option<u64>,
}

#[derive(Deserialize)]
struct Coupon {
    code: String,
    #[expect(dead_code, reason = "a cart with a coupon does not go back")]
    discount: Discount,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "a cart with a coupon does not go back")]
enum Discount {
    Percent(u8),
    Cents(u64),
}

/// Only what 3.0.0 would make again of what comes of it: nothing is lost, or nothing happens.
impl TryFrom<Cart> for crate::Cart {
    type Error = String;

    fn try_from(newer: Cart) -> Result<Self, String> {
        let Cart { currency, lines, next_line, coupons, orders } = newer;
        if let Some(Coupon { code, .. }) = coupons.first() {
            return Err(format!("its coupon {code:?} would be lost"));
        }
        let mut items = BTreeSet::new();
        if let Some(twice) = lines.values().find(|line| !items.insert(line.item.as_str())) {
            return Err(format!("{:?} stands in two of its lines, which would become one", twice.item));
        }
        // 3.0.0 would number the lines anew, and a number that a customer has would mean another line.
        let given = next_line.checked_sub(1).ok_or("its next line has the number 0")?;
        if lines.keys().copied().ne(1..=given) {
            return Err(format!(
                "of the line numbers 1 to {given} it has {:?}, and would number them anew",
                lines.keys()
            ));
        }
        let item = |Line { item, quantity, price_cents }| Item { name: item, quantity, price_cents };
        Ok(Self { currency, items: lines.into_values().map(item).collect(), orders })
    }
}

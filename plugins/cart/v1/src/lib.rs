//! A shopping cart, version 1.0.0: names of items, and how many of each.

use std::collections::BTreeMap;

use baton_guest::{Actor, Cx, Failure, plugin};
use serde::{Deserialize, Serialize};

/// Longest name of an item, in bytes.
const ITEM_BYTES: usize = 100;
/// Most of one item.
const QUANTITY: u32 = 999;
/// Most items of different names.
const ITEMS: usize = 100;

/// Schema 1.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    /// How many of each, by name.
    items: BTreeMap<String, u32>,
    /// How many orders were checked out.
    orders: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Message {
    Add {
        item: String,
        #[serde(default = "one")]
        quantity: u32,
    },
    SetQuantity {
        item: String,
        quantity: u32,
    },
    Remove(String),
    Show,
    Checkout,
}

fn one() -> u32 {
    1
}

#[derive(Serialize)]
#[serde(untagged)]
enum Reply {
    Cart { items: BTreeMap<String, u32>, orders: u64 },
    Order { order: u64, items: BTreeMap<String, u32> },
}

impl Actor for Cart {
    type Message = Message;
    type Reply = Reply;
    const SCHEMA: u32 = 1;

    fn init(_: &Cx) -> Result<Self, Failure> {
        Ok(Self::default())
    }

    fn validate(&self) -> Result<(), String> {
        if self.items.len() > ITEMS {
            return Err(format!("{} items are more than {ITEMS}", self.items.len()));
        }
        let check = |(item, quantity): (&String, &u32)| check_item(item).and_then(|()| check_quantity(*quantity));
        self.items.iter().try_for_each(check).map_err(|failure| failure.message)
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<Reply, Failure> {
        match message {
            Message::Add { item, quantity } => self.add(item, quantity)?,
            Message::SetQuantity { item, quantity } => {
                check_quantity(quantity)?;
                *self.items.get_mut(&item).ok_or_else(|| no_such_item(&item))? = quantity;
            }
            Message::Remove(item) => {
                self.items.remove(&item).ok_or_else(|| no_such_item(&item))?;
            }
            Message::Show => {}
            Message::Checkout => return self.check_out(cx),
        }
        Ok(Reply::Cart { items: self.items.clone(), orders: self.orders })
    }
}

impl Cart {
    fn add(&mut self, item: String, quantity: u32) -> Result<(), Failure> {
        check_item(&item)?;
        check_quantity(quantity)?;
        let before = self.items.get(&item).copied();
        if before.is_none() && self.items.len() >= ITEMS {
            return Err(Failure::new("cart-full", format!("a cart holds {ITEMS} items of different names")));
        }
        let sum = before.unwrap_or(0).saturating_add(quantity);
        check_quantity(sum)?;
        self.items.insert(item, sum);
        Ok(())
    }

    /// What was ordered is durable before anyone hears of it.
    fn check_out(&mut self, cx: &Cx) -> Result<Reply, Failure> {
        if self.items.is_empty() {
            return Err(Failure::new("empty", "there is nothing in the cart"));
        }
        self.orders += 1;
        cx.save();
        Ok(Reply::Order { order: self.orders, items: std::mem::take(&mut self.items) })
    }
}

fn check_item(item: &str) -> Result<(), Failure> {
    if item.trim().is_empty() || item.len() > ITEM_BYTES {
        let shown: String = item.chars().take(20).collect();
        return Err(Failure::new("bad-item", format!("an item's name has 1 to {ITEM_BYTES} bytes: {shown:?}")));
    }
    Ok(())
}

fn check_quantity(quantity: u32) -> Result<(), Failure> {
    if !(1..=QUANTITY).contains(&quantity) {
        return Err(Failure::new("bad-quantity", format!("{quantity} is not within 1 to {QUANTITY}")));
    }
    Ok(())
}

fn no_such_item(item: &str) -> Failure {
    let shown: String = item.chars().take(ITEM_BYTES).collect();
    Failure::new("no-such-item", format!("{shown:?} is not in the cart"))
}

plugin!(Cart, name = "cart");

#[cfg(test)]
mod tests;

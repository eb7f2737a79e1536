//! A shopping cart, version 2.1.0: prices in one currency, and a way back from 3.0.0.
//!
//! Its argument names the currency of a new cart: `{"currency": "USD"}`; without one it is EUR.

mod rules;
mod v1;
mod v3;

use std::collections::BTreeSet;

use baton_guest::{Actor, Cx, Failure, Migrations, Predecessor, Refusal, migrations, plugin};
use serde::{Deserialize, Serialize};

/// Schema 2.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    currency: String,
    /// In the order in which they were put in; each name once.
    items: Vec<Item>,
    /// How many orders were checked out.
    orders: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    name: String,
    quantity: u32,
    /// Of one. None: not known yet.
    price_cents: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    currency: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Message {
    Add {
        item: String,
        #[serde(default = "one")]
        quantity: u32,
        price_cents: Option<u64>,
    },
    SetQuantity {
        item: String,
        quantity: u32,
    },
    Price {
        item: String,
        price_cents: u64,
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
    Cart { currency: String, items: Vec<Item>, total_cents: Option<u64>, orders: u64 },
    Order { order: u64, currency: String, items: Vec<Item>, total_cents: u64 },
}

impl Actor for Cart {
    type Message = Message;
    type Reply = Reply;
    const SCHEMA: u32 = 2;
    const MIGRATIONS: Migrations<Self> = migrations!(1 => v1::Cart; newer 3 => v3::Cart);

    fn init(cx: &Cx) -> Result<Self, Failure> {
        let currency = cx.args_json::<Option<Args>>()?.map_or_else(|| "EUR".to_owned(), |args| args.currency);
        rules::currency(&currency)?;
        Ok(Self { currency, items: Vec::new(), orders: 0 })
    }

    fn resumed(&mut self, predecessor: &Predecessor, cx: &Cx) -> Result<(), Refusal> {
        if predecessor.schema != Self::SCHEMA {
            cx.info(&format!("took over {} items from {}", self.items.len(), predecessor.written_by));
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        if self.items.len() > rules::ITEMS {
            return Err(format!("{} items are more than {}", self.items.len(), rules::ITEMS));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = self.items.iter().find(|item| !names.insert(item.name.as_str())) {
            return Err(format!("the item {:?} is there twice", rules::shown(&twice.name)));
        }
        let check = |item: &Item| {
            rules::item(&item.name)
                .and_then(|()| rules::quantity(item.quantity))
                .and_then(|()| rules::price(item.price_cents))
        };
        let checked = rules::currency(&self.currency).and_then(|()| self.items.iter().try_for_each(check));
        checked.map_err(|failure| failure.message)
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<Reply, Failure> {
        match message {
            Message::Add { item, quantity, price_cents } => self.add(item, quantity, price_cents)?,
            Message::SetQuantity { item, quantity } => {
                rules::quantity(quantity)?;
                self.item(&item)?.quantity = quantity;
            }
            Message::Price { item, price_cents } => {
                rules::price(Some(price_cents))?;
                self.item(&item)?.price_cents = Some(price_cents);
            }
            Message::Remove(item) => {
                self.item(&item)?;
                self.items.retain(|other| other.name != item);
            }
            Message::Show => {}
            Message::Checkout => return self.check_out(cx),
        }
        let (currency, items) = (self.currency.clone(), self.items.clone());
        Ok(Reply::Cart { currency, items, total_cents: self.total_cents(), orders: self.orders })
    }
}

impl Cart {
    fn item(&mut self, name: &str) -> Result<&mut Item, Failure> {
        let missing = || Failure::new("no-such-item", format!("{:?} is not in the cart", rules::shown(name)));
        self.items.iter_mut().find(|item| item.name == name).ok_or_else(missing)
    }

    fn add(&mut self, name: String, quantity: u32, price_cents: Option<u64>) -> Result<(), Failure> {
        rules::item(&name)?;
        rules::quantity(quantity)?;
        rules::price(price_cents)?;
        let full = self.items.len() >= rules::ITEMS;
        let Some(item) = self.items.iter_mut().find(|item| item.name == name) else {
            if full {
                return Err(Failure::new("cart-full", format!("a cart holds {} items", rules::ITEMS)));
            }
            self.items.push(Item { name, quantity, price_cents });
            return Ok(());
        };
        if let (Some(known), Some(told)) = (item.price_cents, price_cents)
            && known != told
        {
            let why = format!("{name:?} is in the cart at {known} cents: give it another `price` first");
            return Err(Failure::new("other-price", why));
        }
        let sum = item.quantity.saturating_add(quantity);
        rules::quantity(sum)?;
        (item.quantity, item.price_cents) = (sum, price_cents.or(item.price_cents));
        Ok(())
    }

    /// None as long as a price is not known.
    fn total_cents(&self) -> Option<u64> {
        self.items.iter().map(|item| item.price_cents.map(|price| price * u64::from(item.quantity))).sum()
    }

    /// What was ordered is durable before anyone hears of it.
    fn check_out(&mut self, cx: &Cx) -> Result<Reply, Failure> {
        if self.items.is_empty() {
            return Err(Failure::new("empty", "there is nothing in the cart"));
        }
        let Some(total_cents) = self.total_cents() else {
            let unknown: Vec<_> = self.items.iter().filter(|item| item.price_cents.is_none()).collect();
            let why = format!("{} of the items have no price, the first is {:?}", unknown.len(), unknown[0].name);
            return Err(Failure::new("no-price", why));
        };
        self.orders += 1;
        cx.save();
        let (currency, items) = (self.currency.clone(), std::mem::take(&mut self.items));
        Ok(Reply::Order { order: self.orders, currency, items, total_cents })
    }
}

plugin!(Cart, name = "cart");

#[cfg(test)]
mod tests;

//! A shopping cart, version 3.0.0: lines with numbers, and coupons.
//!
//! Its argument names the currency of a new cart and the coupons that it takes, each with what it takes off:
//! `{"currency": "USD", "coupons": {"SPRING": {"percent": 10}, "WELCOME": {"cents": 500}}}`.

mod coupon;
mod rules;
mod v1;
mod v2;

use std::collections::{BTreeMap, BTreeSet};

use baton_guest::{Actor, Cx, Failure, Migrations, Predecessor, Refusal, migrations, plugin};
use serde::{Deserialize, Serialize};

use crate::coupon::{Args, Coupon};

/// Most coupons in one cart.
const COUPONS: usize = 5;

/// Schema 3.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    currency: String,
    /// By number. An item that is there at two prices has two of them.
    lines: BTreeMap<u32, Line>,
    /// The number of the next line; it begins at 1 with each order, and none is given twice in one.
    next_line: u32,
    /// In the order in which they count.
    coupons: Vec<Coupon>,
    /// How many orders were checked out.
    orders: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    item: String,
    quantity: u32,
    /// Of one. None: not known yet.
    price_cents: Option<u64>,
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
        line: u32,
        quantity: u32,
    },
    Price {
        line: u32,
        price_cents: u64,
    },
    Remove(u32),
    Coupon(String),
    DropCoupon(String),
    Show,
    Checkout,
}

fn one() -> u32 {
    1
}

#[derive(Serialize)]
struct Shown {
    currency: String,
    lines: BTreeMap<u32, Line>,
    coupons: Vec<String>,
    subtotal_cents: Option<u64>,
    total_cents: Option<u64>,
}

#[derive(Serialize)]
struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<u64>,
    #[serde(flatten)]
    cart: Shown,
    orders: u64,
}

impl Actor for Cart {
    type Message = Message;
    type Reply = Reply;
    const SCHEMA: u32 = 3;
    const MIGRATIONS: Migrations<Self> = migrations!(1 => v1::Cart, 2 => v2::Cart);

    fn init(cx: &Cx) -> Result<Self, Failure> {
        let Args { currency, .. } = Args::of(cx)?;
        Ok(Self { currency, lines: BTreeMap::new(), next_line: 1, coupons: Vec::new(), orders: 0 })
    }

    fn resumed(&mut self, predecessor: &Predecessor, cx: &Cx) -> Result<(), Refusal> {
        if predecessor.schema != Self::SCHEMA {
            cx.info(&format!("took over {} lines from {}", self.lines.len(), predecessor.written_by));
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        for (what, count, most) in [("lines", self.lines.len(), rules::ITEMS), ("coupons", self.coupons.len(), COUPONS)]
        {
            if count > most {
                return Err(format!("{count} {what} are more than {most}"));
            }
        }
        if !self.lines.keys().all(|number| (1..self.next_line).contains(number)) {
            let numbers: Vec<_> = self.lines.keys().collect();
            return Err(format!("the lines are {numbers:?}, and the next is {}", self.next_line));
        }
        let mut codes = BTreeSet::new();
        if let Some(twice) = self.coupons.iter().find(|coupon| !codes.insert(coupon.code.as_str())) {
            return Err(format!("the coupon {:?} is there twice", rules::shown(&twice.code)));
        }
        let line = |line: &Line| {
            rules::item(&line.item)
                .and_then(|()| rules::quantity(line.quantity))
                .and_then(|()| rules::price(line.price_cents))
        };
        let checked = rules::currency(&self.currency)
            .and_then(|()| self.lines.values().try_for_each(line))
            .and_then(|()| self.coupons.iter().try_for_each(|coupon| coupon::check(&coupon.code, coupon.discount)));
        checked.map_err(|failure| failure.message)
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<Reply, Failure> {
        match message {
            Message::Add { item, quantity, price_cents } => self.add(Line { item, quantity, price_cents })?,
            Message::SetQuantity { line, quantity } => {
                rules::quantity(quantity)?;
                self.line(line)?.quantity = quantity;
            }
            Message::Price { line, price_cents } => {
                rules::price(Some(price_cents))?;
                self.line(line)?.price_cents = Some(price_cents);
            }
            Message::Remove(line) => {
                self.line(line)?;
                self.lines.remove(&line);
            }
            Message::Coupon(code) => self.put_in(Args::of(cx)?.coupon(&code)?)?,
            Message::DropCoupon(code) => {
                let known = self.coupons.iter().position(|coupon| coupon.code == code);
                let missing =
                    || Failure::new("no-such-coupon", format!("{:?} is not in the cart", rules::shown(&code)));
                self.coupons.remove(known.ok_or_else(missing)?);
            }
            Message::Show => {}
            Message::Checkout => return self.check_out(cx),
        }
        Ok(Reply { order: None, cart: self.shown(), orders: self.orders })
    }
}

impl Cart {
    fn line(&mut self, number: u32) -> Result<&mut Line, Failure> {
        let missing = || Failure::new("no-such-line", format!("the cart has no line {number}"));
        self.lines.get_mut(&number).ok_or_else(missing)
    }

    /// To the line of that item at that price, or to a new one.
    fn add(&mut self, new: Line) -> Result<(), Failure> {
        rules::item(&new.item)?;
        rules::quantity(new.quantity)?;
        rules::price(new.price_cents)?;
        let same = |line: &&mut Line| line.item == new.item && line.price_cents == new.price_cents;
        if let Some(line) = self.lines.values_mut().find(same) {
            let sum = line.quantity.saturating_add(new.quantity);
            rules::quantity(sum)?;
            line.quantity = sum;
            return Ok(());
        }
        let next = self.next_line.checked_add(1).filter(|_| self.lines.len() < rules::ITEMS);
        let full = || Failure::new("cart-full", format!("a cart holds {} lines", rules::ITEMS));
        let next = next.ok_or_else(full)?;
        self.lines.insert(self.next_line, new);
        self.next_line = next;
        Ok(())
    }

    fn put_in(&mut self, coupon: Coupon) -> Result<(), Failure> {
        if self.coupons.iter().any(|known| known.code == coupon.code) {
            return Err(Failure::new("coupon-twice", format!("the coupon {:?} counts already", coupon.code)));
        }
        if self.coupons.len() >= COUPONS {
            return Err(Failure::new("too-many-coupons", format!("a cart takes {COUPONS} coupons")));
        }
        self.coupons.push(coupon);
        Ok(())
    }

    fn shown(&self) -> Shown {
        let costs = |line: &Line| line.price_cents.map(|price| price * u64::from(line.quantity));
        // None as long as a price is not known.
        let subtotal_cents = self.lines.values().map(costs).sum();
        Shown {
            currency: self.currency.clone(),
            lines: self.lines.clone(),
            coupons: self.coupons.iter().map(|coupon| coupon.code.clone()).collect(),
            subtotal_cents,
            total_cents: subtotal_cents.map(|cents| coupon::reduced_cents(cents, &self.coupons)),
        }
    }

    /// What was ordered is durable before anyone hears of it.
    fn check_out(&mut self, cx: &Cx) -> Result<Reply, Failure> {
        if self.lines.is_empty() {
            return Err(Failure::new("empty", "there is nothing in the cart"));
        }
        if let Some((number, line)) = self.lines.iter().find(|(_, line)| line.price_cents.is_none()) {
            return Err(Failure::new("no-price", format!("line {number}, {:?}, has no price", line.item)));
        }
        let cart = self.shown();
        self.orders += 1;
        (self.lines, self.coupons, self.next_line) = (BTreeMap::new(), Vec::new(), 1);
        cx.save();
        Ok(Reply { order: Some(self.orders), cart, orders: self.orders })
    }
}

plugin!(Cart, name = "cart");

#[cfg(test)]
mod tests;

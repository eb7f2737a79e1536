//! A bank: one actor per account. A transfer is a call to the account that pays; it debits itself and sends the other
//! account a credit, in one turn.
//!
//! The sum of all balances and of the credits under way is the sum of all deposits. With `durability = "turn"` that holds
//! over a `kill -9` as well: the new balance and the credit are one commit, a call that is tried again with its id is
//! applied once, and so is a credit. Nothing here does anything for it.

mod order;

use std::collections::BTreeMap;

use baton_guest::{Actor, Cx, Failure, Level, plugin};
use serde::{Deserialize, Serialize};

use crate::order::Order;

/// Most that is deposited or transferred at once, in cents.
const AMOUNT_CENTS: u64 = 1_000_000_000_000;
/// Longest name of an account, in bytes: the longest of an actor.
const ACCOUNT_BYTES: usize = 255;
/// Most standing orders of one account.
const ORDERS: usize = 16;
/// Begins the name of a standing order's timer.
const ORDER: &str = "order/";

/// Schema 1.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    open: bool,
    balance_cents: u64,
    deposited_cents: u64,
    sent: Flow,
    received: Flow,
    orders: BTreeMap<String, Order>,
}

/// Transfers in one direction, ever.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Flow {
    count: u64,
    cents: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Message {
    Open,
    Deposit {
        cents: u64,
    },
    Transfer {
        to: String,
        cents: u64,
    },
    /// From the account that has paid it; from nobody else.
    Credit {
        from: String,
        cents: u64,
    },
    /// The first payment is after `every_ms`; without `times` there is no last one.
    StandingOrder {
        name: String,
        to: String,
        cents: u64,
        every_ms: u64,
        times: Option<u64>,
    },
    CancelOrder(String),
    Balance,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Reply {
    Booked {
        balance_cents: u64,
    },
    Statement {
        open: bool,
        balance_cents: u64,
        deposited_cents: u64,
        sent: Flow,
        received: Flow,
        orders: BTreeMap<String, Order>,
    },
}

impl Actor for Account {
    type Message = Message;
    type Reply = Reply;
    const SCHEMA: u32 = 1;

    fn init(cx: &Cx) -> Result<Self, Failure> {
        let bad = || Failure::new("bad-name", format!("an account is named like account/ann, not {:?}", cx.actor()));
        branch(cx.actor()).map(|_| Self::default()).ok_or_else(bad)
    }

    fn validate(&self) -> Result<(), String> {
        let Self { open, balance_cents, deposited_cents, sent, received, orders } = self;
        let [balance, deposited, out, back] =
            [*balance_cents, *deposited_cents, sent.cents, received.cents].map(u128::from);
        if balance + out != deposited + back {
            return Err(format!(
                "{deposited} deposited, {back} received and {out} sent leave no balance of {balance} cents"
            ));
        }
        if !open && (deposited > 0 || sent.count > 0 || !orders.is_empty()) {
            return Err("it was never opened, and has been used".to_owned());
        }
        if orders.len() > ORDERS {
            return Err(format!("{} standing orders are more than {ORDERS}", orders.len()));
        }
        orders.iter().try_for_each(|(name, order)| order.check(name)).map_err(|failure| failure.message)
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<Reply, Failure> {
        match message {
            Message::Open if self.open => return Err(Failure::new("already-open", "the account is open")),
            Message::Open => self.open = true,
            Message::Deposit { cents } => self.deposit(cents)?,
            Message::Transfer { to, cents } => self.pay(&to, cents, cx)?,
            Message::Credit { from, cents } => self.credit(&from, cents, cx)?,
            Message::StandingOrder { name, to, cents, every_ms, times } => {
                self.add_order(name, Order { to, cents, every_ms, times, missed: 0 }, cx)?;
            }
            Message::CancelOrder(name) => {
                let missing =
                    || Failure::new("no-such-order", format!("there is no standing order {:?}", shown(&name)));
                self.orders.remove(&name).ok_or_else(missing)?;
                cx.cancel_timer(&timer(&name));
            }
            Message::Balance => return Ok(self.statement()),
        }
        Ok(Reply::Booked { balance_cents: self.balance_cents })
    }

    fn timer(&mut self, name: &str, cx: &Cx) -> Result<(), Failure> {
        let Some(name) = name.strip_prefix(ORDER) else { return Ok(()) };
        let Some(mut order) = self.orders.get(name).cloned() else { return Ok(()) };
        let paid = self.pay(&order.to, order.cents, cx);
        if let Err(failure) = &paid {
            cx.log(Level::Info, "a standing order was not paid", &[("order", &name), ("why", &failure.message)]);
        }
        if order.goes_on(paid.is_ok()) {
            cx.set_timer(&timer(name), order.every_ms)?;
            self.orders.insert(name.to_owned(), order);
        } else {
            self.orders.remove(name);
        }
        Ok(())
    }
}

impl Account {
    fn check_open(&self) -> Result<(), Failure> {
        if self.open { Ok(()) } else { Err(Failure::new("not-open", "the account was never opened")) }
    }

    fn deposit(&mut self, cents: u64) -> Result<(), Failure> {
        self.check_open()?;
        check_amount(cents)?;
        let full = || full(cents);
        let deposited_cents = self.deposited_cents.checked_add(cents).ok_or_else(full)?;
        self.balance_cents = self.balance_cents.checked_add(cents).ok_or_else(full)?;
        self.deposited_cents = deposited_cents;
        Ok(())
    }

    /// The credit and the debit are one turn: what can fail comes before both.
    fn pay(&mut self, to: &str, cents: u64, cx: &Cx) -> Result<(), Failure> {
        self.check_open()?;
        check_amount(cents)?;
        check_payee(cx.actor(), to)?;
        let overdraft =
            || Failure::new("overdraft", format!("{cents} cents are more than the {} there", self.balance_cents));
        let balance_cents = self.balance_cents.checked_sub(cents).ok_or_else(overdraft)?;
        let sent = self.sent.with(cents).ok_or_else(|| full(cents))?;
        cx.send(to, &Message::Credit { from: cx.actor().to_owned(), cents })?;
        (self.balance_cents, self.sent) = (balance_cents, sent);
        Ok(())
    }

    /// Never refused to an account, open or not: it has paid already. What does not fit goes back.
    fn credit(&mut self, from: &str, cents: u64, cx: &Cx) -> Result<(), Failure> {
        if cx.sender() != Some(from) || branch(from) != branch(cx.actor()) {
            let who = cx.sender().unwrap_or("somebody outside");
            return Err(Failure::new("not-a-transfer", format!("{who:?} cannot pay for {from:?}")));
        }
        let booked = self.balance_cents.checked_add(cents).zip(self.received.with(cents));
        let Some((balance_cents, received)) = booked else {
            cx.send(from, &Message::Credit { from: cx.actor().to_owned(), cents })?;
            return Err(full(cents));
        };
        (self.balance_cents, self.received) = (balance_cents, received);
        Ok(())
    }

    fn add_order(&mut self, name: String, order: Order, cx: &Cx) -> Result<(), Failure> {
        self.check_open()?;
        order.check(&name)?;
        check_payee(cx.actor(), &order.to)?;
        if self.orders.contains_key(&name) {
            return Err(Failure::new("order-twice", format!("there is a standing order {name:?}: cancel it first")));
        }
        if self.orders.len() >= ORDERS {
            return Err(Failure::new("too-many-orders", format!("an account has up to {ORDERS} standing orders")));
        }
        cx.set_timer(&timer(&name), order.every_ms)?;
        self.orders.insert(name, order);
        Ok(())
    }

    fn statement(&self) -> Reply {
        Reply::Statement {
            open: self.open,
            balance_cents: self.balance_cents,
            deposited_cents: self.deposited_cents,
            sent: self.sent,
            received: self.received,
            orders: self.orders.clone(),
        }
    }
}

impl Flow {
    fn with(self, cents: u64) -> Option<Self> {
        Some(Self { count: self.count.checked_add(1)?, cents: self.cents.checked_add(cents)? })
    }
}

fn timer(order: &str) -> String {
    format!("{ORDER}{order}")
}

/// What stands before the last `/` of an account's name.
fn branch(account: &str) -> Option<&str> {
    account.rsplit_once('/').map(|(branch, _)| branch)
}

fn check_amount(cents: u64) -> Result<(), Failure> {
    if !(1..=AMOUNT_CENTS).contains(&cents) {
        return Err(Failure::new("bad-amount", format!("{cents} is not within 1 to {AMOUNT_CENTS} cents")));
    }
    Ok(())
}

/// Money that is sent to what is no account would be gone: only accounts of the same branch are paid.
fn check_payee(payer: &str, to: &str) -> Result<(), Failure> {
    let number = to.rsplit('/').next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if to.len() > ACCOUNT_BYTES || branch(to) != branch(payer) || number.is_empty() || !number.bytes().all(plain) {
        return Err(Failure::new("no-such-account", format!("{:?} is no account like {payer:?}", shown(to))));
    }
    if to == payer {
        return Err(Failure::new("same-account", "an account does not pay itself"));
    }
    Ok(())
}

/// The beginning of a text that may be long.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

fn full(cents: u64) -> Failure {
    Failure::new("account-full", format!("{cents} cents more cannot be counted"))
}

plugin!(Account);

#[cfg(test)]
mod tests;

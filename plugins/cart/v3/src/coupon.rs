//! Coupons, and what they take off.

use std::collections::BTreeMap;

use baton_guest::{Cx, Failure};
use serde::{Deserialize, Serialize};

use crate::rules;

/// Longest code, in bytes.
const CODE_BYTES: usize = 32;

/// A coupon as it was when it was put in: a shop that changes its coupons changes no cart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coupon {
    pub(crate) code: String,
    pub(crate) discount: Discount,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Discount {
    /// 1 to 100 of what is left by those before it.
    Percent(u8),
    Cents(u64),
}

/// What the shop says of its carts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    #[serde(default = "euro")]
    pub(crate) currency: String,
    /// By code.
    #[serde(default)]
    coupons: BTreeMap<String, Discount>,
}

fn euro() -> String {
    "EUR".to_owned()
}

impl Args {
    pub(crate) fn of(cx: &Cx) -> Result<Self, Failure> {
        let args = cx.args_json::<Option<Self>>()?;
        let args = args.unwrap_or_else(|| Self { currency: euro(), coupons: BTreeMap::new() });
        rules::currency(&args.currency)?;
        args.coupons.iter().try_for_each(|(code, discount)| check(code, *discount))?;
        Ok(args)
    }

    pub(crate) fn coupon(&self, code: &str) -> Result<Coupon, Failure> {
        let unknown = || Failure::new("unknown-coupon", format!("there is no coupon {:?}", rules::shown(code)));
        let discount = *self.coupons.get(code).ok_or_else(unknown)?;
        Ok(Coupon { code: code.to_owned(), discount })
    }
}

/// Whether a shop may give it out.
pub(crate) fn check(code: &str, discount: Discount) -> Result<(), Failure> {
    let bad = |why: String| Err(Failure::new("bad-coupon", why));
    if code.is_empty() || code.len() > CODE_BYTES {
        return bad(format!("a coupon's code has 1 to {CODE_BYTES} bytes: {:?}", rules::shown(code)));
    }
    match discount {
        Discount::Percent(1..=100) => Ok(()),
        Discount::Percent(percent) => bad(format!("the coupon {code:?} takes off {percent} %, not 1 to 100")),
        Discount::Cents(0) => bad(format!("the coupon {code:?} takes off nothing")),
        Discount::Cents(_) => Ok(()),
    }
}

/// What is left to pay: each coupon takes its share of what those before it left, down to whole cents in the customer's
/// favour.
pub(crate) fn reduced_cents(subtotal_cents: u64, coupons: &[Coupon]) -> u64 {
    coupons.iter().fold(subtotal_cents, |left, coupon| match coupon.discount {
        Discount::Percent(percent) => left * u64::from(100 - percent.min(100)) / 100,
        Discount::Cents(cents) => left.saturating_sub(cents),
    })
}

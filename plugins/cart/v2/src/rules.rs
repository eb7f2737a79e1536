//! What can be in a cart: the same of a message and of a state.

use baton_guest::Failure;

/// Longest name of an item, in bytes.
const ITEM_BYTES: usize = 100;
/// Most of one item.
const QUANTITY: u32 = 999;
/// Highest price of one piece, in cents: far from where a sum would overflow.
const PRICE_CENTS: u64 = 100_000_000;
/// Most items of different names.
pub(crate) const ITEMS: usize = 100;

pub(crate) fn item(name: &str) -> Result<(), Failure> {
    if name.trim().is_empty() || name.len() > ITEM_BYTES {
        return Err(Failure::new("bad-item", format!("an item's name has 1 to {ITEM_BYTES} bytes: {:?}", shown(name))));
    }
    Ok(())
}

pub(crate) fn quantity(quantity: u32) -> Result<(), Failure> {
    if !(1..=QUANTITY).contains(&quantity) {
        return Err(Failure::new("bad-quantity", format!("{quantity} is not within 1 to {QUANTITY}")));
    }
    Ok(())
}

pub(crate) fn price(cents: Option<u64>) -> Result<(), Failure> {
    match cents {
        Some(cents) if cents > PRICE_CENTS => {
            Err(Failure::new("bad-price", format!("{cents} cents are more than {PRICE_CENTS}")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn currency(code: &str) -> Result<(), Failure> {
    if code.len() != 3 || !code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        let why = format!("{:?} is no currency's code of three capital letters", shown(code));
        return Err(Failure::new("bad-currency", why));
    }
    Ok(())
}

/// The beginning of a text that may be long.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(32).collect()
}

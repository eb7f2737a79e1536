//! Files that are small and unfold into much: components in components, types of types, blocks in blocks. They are refused
//! in words, or cost what any file of their size costs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use baton_host::Host;

use crate::bad_input::{Stage, says};
use crate::harness::WatGuest;

const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 13, 0, 1, 0];

/// What is said of it, and that the process is there to say it.
async fn told(bytes: Vec<u8>) -> String {
    let (size, began) = (bytes.len(), Instant::now());
    let error = Host::inspect("bad.wasm", bytes).await.unwrap_err();
    let text = format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
    println!("{size} bytes, {:.1?}: {text}", began.elapsed());
    assert!(text.len() < 10_000);
    assert!(began.elapsed() < Duration::from_secs(60), "it ends");
    text
}

fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        bytes.push(if n == 0 { low } else { low | 0x80 });
        if n == 0 {
            return bytes;
        }
    }
}

#[tokio::test]
async fn components_in_components() {
    for (levels, words) in [(50, "it exports nothing"), (200, "nest deeper than 100"), (50_000, "nest deeper than 100")]
    {
        // From the inside out, back to front.
        let mut back = Vec::new();
        for level in 0..levels {
            let length = back.len() + COMPONENT.len();
            back.extend(COMPONENT.iter().rev());
            if level + 1 < levels {
                back.extend(leb(length).iter().rev());
                back.push(4);
            }
        }
        back.reverse();
        says(told(back).await, &["plugin bad.wasm: ", words]);
    }
}

#[tokio::test]
async fn types_of_types() {
    let double = |levels: usize, shape: &str| {
        let mut text = String::from("(component (type $t0 u8)\n");
        for n in 1..=levels {
            let below = n - 1;
            let _ = writeln!(text, "(type $t{n} {})", shape.replace('%', &format!("$t{below}")));
        }
        let _ = write!(text, "(import \"f\" (func (param \"x\" $t{levels}))))");
        wat::parse_str(&text).unwrap()
    };
    says(told(double(60, "(tuple % % %)")).await, &["plugin bad.wasm: "]);
    says(told(double(5_000, "(list %)")).await, &["plugin bad.wasm: "]);
    says(told(double(90, "(option %)")).await, &["plugin bad.wasm: "]);
}

#[tokio::test]
async fn blocks_in_blocks_and_branches_to_all_of_them() {
    // What is valid is compiled, which takes what it takes, and works.
    let blocks = 2_000;
    let mut body = "(block ".repeat(blocks);
    body.push_str("(br_table ");
    for n in 0..blocks {
        let _ = write!(body, "{n} ");
    }
    body.push_str("(local.get $i))");
    body.push_str(&")".repeat(blocks));
    let began = Instant::now();
    let stage = Stage::set(&WatGuest::new("bad").when('!', &body), |_| {}).await;
    assert_eq!(stage.count("!").await, 1);
    println!("{blocks} blocks: {:.1?}", began.elapsed());
    stage.end().await;
}

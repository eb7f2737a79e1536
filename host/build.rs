//! The SDKs are part of the command, for `baton new`: a file that comes or goes there is a change.

fn main() {
    println!("cargo::rerun-if-changed=../guest-sdk");
}

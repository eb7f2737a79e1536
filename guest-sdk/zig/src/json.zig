//! JSON for messages, replies, arguments, and whatever else an author wants to read or write.

const read = @import("json_read.zig");
const write = @import("json_write.zig");

pub const decode = read.decode;
pub const Why = read.Why;
pub const deepest = read.deepest;
pub const encode = write.encode;
/// Writes a value with an open `std.json.Stringify`, for types with a `jsonStringify` of their own.
pub const writeValue = write.write;

//! What the standard library and this SDK have to hold many values, as JSON and states know it.

const std = @import("std");
const StringMap = @import("string_map.zig").StringMap;

/// The type of the items, if `T` is a `std.ArrayList`.
pub fn ListItem(comptime T: type) ?type {
    if (@typeInfo(T) != .@"struct" or !@hasField(T, "items") or !@hasField(T, "capacity")) return null;
    const Items = @FieldType(T, "items");
    if (@typeInfo(Items) != .pointer) return null;
    const Item = @typeInfo(Items).pointer.child;
    return if (T == std.ArrayList(Item)) Item else null;
}

/// The type of the values, if `T` is a `StringMap`.
pub fn MapValue(comptime T: type) ?type {
    if (@typeInfo(T) != .@"struct" or !@hasDecl(T, "MapOf")) return null;
    return if (T == StringMap(T.MapOf)) T.MapOf else null;
}

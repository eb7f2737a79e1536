//! A map from texts to values, in the order of its keys.

const std = @import("std");
const Allocator = std.mem.Allocator;

/// Keys are copied, and owned by the map; so are values, as far as `put` and `remove` go. Two maps that hold the same are
/// the same state, byte for byte, whatever happened before; that is why this is no hash map. Looking up takes some
/// log n comparisons, putting in a new key moves those behind it.
pub fn StringMap(comptime V: type) type {
    return struct {
        sorted: std.ArrayList(Entry) = .empty,

        const Self = @This();
        pub const MapOf = V;
        pub const Entry = struct { key: []const u8, value: V };

        pub const empty: Self = .{};

        /// Frees the keys and the map. Values that own memory are freed by whoever put them in, before.
        pub fn deinit(self: *Self, gpa: Allocator) void {
            for (self.sorted.items) |entry| gpa.free(entry.key);
            self.sorted.deinit(gpa);
            self.* = .empty;
        }

        pub fn count(self: *const Self) usize {
            return self.sorted.items.len;
        }

        /// All of it, in the order of the keys. Putting in and removing makes the slice useless.
        pub fn entries(self: *const Self) []Entry {
            return self.sorted.items;
        }

        pub fn get(self: *const Self, key: []const u8) ?V {
            return if (self.getPtr(key)) |value| value.* else null;
        }

        /// A place of the value, until something is put in or removed.
        pub fn getPtr(self: *const Self, key: []const u8) ?*V {
            const at, const there = self.find(key);
            return if (there) &self.sorted.items[at].value else null;
        }

        pub fn contains(self: *const Self, key: []const u8) bool {
            return self.find(key)[1];
        }

        /// Puts `value` in, in place of what was there.
        pub fn put(self: *Self, gpa: Allocator, key: []const u8, value: V) Allocator.Error!void {
            (try self.getOrPut(gpa, key, value)).* = value;
        }

        /// The value's place; `value` is put in if there was none.
        pub fn getOrPut(self: *Self, gpa: Allocator, key: []const u8, value: V) Allocator.Error!*V {
            const at, const there = self.find(key);
            if (!there) {
                const copy = try gpa.dupe(u8, key);
                errdefer gpa.free(copy);
                try self.sorted.insert(gpa, at, .{ .key = copy, .value = value });
            }
            return &self.sorted.items[at].value;
        }

        /// Takes a value out, and gives it.
        pub fn remove(self: *Self, gpa: Allocator, key: []const u8) ?V {
            const at, const there = self.find(key);
            if (!there) return null;
            const entry = self.sorted.orderedRemove(at);
            gpa.free(entry.key);
            return entry.value;
        }

        /// Takes `key` as its own. False: it stands there already, and nothing is done.
        pub fn adopt(self: *Self, gpa: Allocator, key: []const u8, value: V) Allocator.Error!bool {
            const at, const there = self.find(key);
            if (!there) try self.sorted.insert(gpa, at, .{ .key = key, .value = value });
            return !there;
        }

        fn find(self: *const Self, key: []const u8) struct { usize, bool } {
            const all = self.sorted.items;
            // States are read in the order of their keys.
            if (all.len == 0 or std.mem.order(u8, all[all.len - 1].key, key) == .lt) return .{ all.len, false };
            var low: usize = 0;
            var high: usize = all.len;
            while (low < high) {
                const middle = low + (high - low) / 2;
                switch (std.mem.order(u8, all[middle].key, key)) {
                    .lt => low = middle + 1,
                    .gt => high = middle,
                    .eq => return .{ middle, true },
                }
            }
            return .{ low, false };
        }
    };
}

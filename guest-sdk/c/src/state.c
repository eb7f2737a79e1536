/* State as bytes: encoding, decoding, and the chain of migrations between layouts. */
#include <string.h>

#include "internal.h"

void baton_reads(const baton_plugin *plugin, uint32_t *from, uint32_t *to) {
    *from = *to = plugin->schema;
    for (const baton_layout *layout = plugin->layouts; layout && layout->decode; layout++) {
        if (layout->schema < *from) *from = layout->schema;
        if (layout->schema > *to) *to = layout->schema;
    }
}

static const baton_layout *find(const baton_plugin *plugin, uint32_t schema) {
    for (const baton_layout *layout = plugin->layouts; layout && layout->decode; layout++)
        if (layout->schema == schema) return layout;
    return NULL;
}

/* Reads all of `data` by `decode`. False: the refusal says why. */
static bool read_whole(baton_cx *cx, uint32_t schema, baton_bytes data, void (*decode)(void *, baton_reader *),
                       void *into) {
    baton_reader in = baton_reader_of(cx, data);
    decode(into, &in);
    if (!in.error && baton_reader_left(&in) > 0)
        baton_reader_refuse(&in, "%zu bytes are left over", baton_reader_left(&in));
    if (!in.error) return true;
    return baton_refuse(cx, BATON_CORRUPT, "state of schema %u: %s", (unsigned)schema, in.error);
}

/* Puts the schema that was handed over before what a callback said. */
static bool refused(baton_cx *cx, baton_refusal_kind kind, uint32_t schema, const char *what) {
    const char *why = cx->refusal.message ? cx->refusal.message : "the plugin gave no reason";
    return baton_refuse(cx, kind, "state of schema %u %s: %s", (unsigned)schema, what, why);
}

static bool migrate(baton_cx *cx, const baton_layout *layout, baton_bytes data) {
    uint32_t schema = layout->schema;
    void *old = baton_alloc(cx, layout->size);
    if (!read_whole(cx, schema, data, layout->decode, old)) return false;
    for (;;) {
        bool newer = layout->schema > cx->plugin->schema;
        bool last = newer || layout->schema + 1 == cx->plugin->schema;
        void *next = last ? cx->self : baton_alloc(cx, layout[1].size);
        if (!layout->migrate(old, next, cx))
            return newer ? refused(cx, BATON_INCOMPATIBLE, schema, "has no way back")
                         : refused(cx, BATON_CORRUPT, schema, "does not migrate");
        if (last) return true;
        old = next;
        layout++;
    }
}

bool baton_load_state(baton_cx *cx, baton_state state) {
    const baton_plugin *plugin = cx->plugin;
    const baton_layout *layout = find(plugin, state.schema);
    if (!layout && state.schema != plugin->schema) {
        uint32_t from, to;
        baton_reads(plugin, &from, &to);
        return baton_refuse(cx, BATON_INCOMPATIBLE, "schema %u is not among %u to %u", (unsigned)state.schema,
                            (unsigned)from, (unsigned)to);
    }
    /* What `init` has made gives way. */
    if (plugin->drop) plugin->drop(cx->self);
    memset(cx->self, 0, plugin->state_size);
    if (layout) {
        if (!migrate(cx, layout, state.data)) return false;
    } else if (plugin->decode) {
        if (!read_whole(cx, state.schema, state.data, plugin->decode, cx->self)) return false;
    } else if (state.data.len > 0) {
        return baton_refuse(cx, BATON_CORRUPT, "state of schema %u: %zu bytes are left over, since there is no state",
                            (unsigned)state.schema, state.data.len);
    }
    if (plugin->validate && !plugin->validate(cx->self, cx))
        return refused(cx, BATON_CORRUPT, state.schema, "breaks a rule");
    return true;
}

bool baton_save_state(baton_cx *cx, baton_state *state) {
    baton_writer out = {.buf = {.cx = cx}};
    if (cx->plugin->encode) cx->plugin->encode(cx->self, &out);
    if (out.error) return baton_fail(cx, "not-encodable", "the state cannot be written: %s", out.error);
    *state = (baton_state){cx->plugin->schema, baton_buf_bytes(&out.buf)};
    return true;
}

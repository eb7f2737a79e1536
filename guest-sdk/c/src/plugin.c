/* What the host is told of a plugin, and whether it is one. */
#include <string.h>

#include "internal.h"

const char *baton_media_type(const baton_plugin *plugin) {
    if (plugin->media_type) return plugin->media_type;
    return plugin->handle_bytes ? "application/octet-stream" : "application/json";
}

const baton_fact *baton_facts(baton_cx *cx, size_t *count) {
    const baton_plugin *plugin = cx->plugin;
    const baton_fact known[] = {
        {"description", plugin->description}, {"authors", plugin->authors},       {"license", plugin->license},
        {"homepage", plugin->homepage},       {"repository", plugin->repository}, {"sdk", "baton-c " BATON_SDK_VERSION},
    };
    size_t own = 0, kept = 0;
    for (const baton_fact *fact = plugin->metadata; fact && fact->name; fact++) own++;
    size_t most = own + sizeof known / sizeof *known;
    baton_fact *facts = baton_alloc(cx, most * sizeof *facts);
    for (size_t i = 0; i < most; i++) {
        const baton_fact *fact = i < most - own ? &known[i] : &plugin->metadata[i - (most - own)];
        if (fact->value && fact->value[0] != '\0') facts[kept++] = *fact;
    }
    *count = kept;
    return facts;
}

static bool is_name(const char *name) {
    size_t len = strlen(name);
    if (len > 64 || name[0] < 'a' || name[0] > 'z') return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static void check_layout(const baton_plugin *plugin, const baton_layout *layout) {
    if (!layout->decode || !layout->migrate || layout->size == 0)
        baton_panic("the layout of schema %u needs a size, `decode` and `migrate`", (unsigned)layout->schema);
    if (layout->schema == plugin->schema)
        baton_panic("schema %u is the current one: `.decode` reads it, and no layout", (unsigned)layout->schema);
}

/* They lead up to the current schema, and go on after it. */
static void check_layouts(const baton_plugin *plugin) {
    uint32_t current = plugin->schema, next = 0; /* 0: any older one */
    const baton_layout *layout = plugin->layouts;
    for (; layout && (layout->decode || layout->schema > 0); layout++) {
        check_layout(plugin, layout);
        if (layout->schema > current && (next == 0 || next == current)) next = current + 1;
        if (next > 0 && layout->schema != next)
            baton_panic("`.layouts` has schema %u where %u is expected", (unsigned)layout->schema, (unsigned)next);
        next = layout->schema + 1;
    }
    if (next > 0 && next < current)
        baton_panic("`.layouts` ends before schema %u, and the current one is %u", (unsigned)next, (unsigned)current);
}

void baton_check_plugin(const baton_plugin *plugin) {
    if (!plugin->name || !is_name(plugin->name))
        baton_panic("a plugin's name has lower-case letters, digits, - and _, begins with a letter, and has at most 64 "
                    "bytes: `.name`");
    if (!plugin->version || plugin->version[0] == '\0') baton_panic("a plugin has a version: `.version`");
    if (plugin->schema == 0)
        baton_panic("a plugin says which number the layout of its state has: `.schema = 1` at first");
    if (!plugin->init) baton_panic("a plugin makes a fresh state: `.init`");
    if (!plugin->handle == !plugin->handle_bytes)
        baton_panic("a plugin handles messages, by either `.handle` or `.handle_bytes`");
    if (!plugin->encode != !plugin->decode) baton_panic("what `.encode` writes `.decode` reads: both or none");
    if (plugin->state_size > 0 && !plugin->encode)
        baton_panic("a state of %zu bytes is written and read: `.encode` and `.decode`", plugin->state_size);
    check_layouts(plugin);
}

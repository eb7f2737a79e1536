/* {{name}}: adds numbers up. Takes "get" and {"add": 3}, and answers with the sum. */
#include <baton.h>

/* The state: all that outlives this instance. It begins as zeros. Another field, or another type, is another layout: raise
 * `.schema` below, and see "A new layout" in sdk/README.md before the first release with it. */
struct state {
    uint64_t total;
};

/* A fresh state. `baton_args_json` reads what the actor was started with: here nothing, null, or a number to begin at.
 */
static bool init(void *self, baton_cx *cx) {
    struct state *state = self;
    baton_json args;
    if (!baton_args_json(cx, &args)) return false;
    if (baton_json_is_null(args) || baton_json_u64(args, &state->total)) return true;
    return baton_bad_args(cx, "nothing, null, or a whole number");
}

/* One message. Add your own here: `baton_json_case` finds out which it is. A failure is a reply like any other. */
static bool handle(void *self, baton_json message, baton_cx *cx) {
    struct state *state = self;
    baton_json arg;
    uint64_t n;
    if (baton_json_case(message, "get", NULL)) return baton_reply_u64(cx, state->total);
    if (baton_json_case(message, "add", &arg) && baton_json_u64(arg, &n)) {
        if (n > UINT64_MAX - state->total) return baton_fail(cx, "overflow", "the sum would be too large");
        state->total += n;
        return baton_reply_u64(cx, state->total);
    }
    return baton_bad_message(cx, "\"get\" or {\"add\": N}");
}

/* The state as bytes, field after field, and back. Both must have the same fields in the same order. */
static void encode(const void *self, baton_writer *out) {
    const struct state *state = self;
    baton_write_u64(out, state->total);
}

static void decode(void *self, baton_reader *in) {
    struct state *state = self;
    state->total = baton_read_u64(in);
}

/* What the host is told, and which function does what. There are more: timer, started, resumed, validate, terminate, …;
 * sdk/include/baton/actor.h has them all. */
BATON_PLUGIN(
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "Adds numbers up.",
    .schema = 1,
    .state_size = sizeof(struct state),
    .init = init,
    .handle = handle,
    .encode = encode,
    .decode = decode,
);

/* A hash table from names to numbers. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

void *keep(void *old, size_t count, size_t size) {
    void *at = count <= SIZE_MAX / size ? realloc(old, count * size > 0 ? count * size : 1) : NULL;
    if (!at) baton_panic("out of memory: %zu times %zu bytes", count, size);
    return at;
}

/* FNV-1a. */
static uint32_t hash_of(baton_text text) {
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < text.len; i++) hash = (hash ^ (uint8_t)text.at[i]) * UINT32_C(16777619);
    return hash;
}

static uint32_t slot_of(const struct names *names, baton_text text, uint32_t hash) {
    uint32_t slot = hash & (names->slots - 1);
    for (; names->table[slot] != NO_NUMBER; slot = (slot + 1) & (names->slots - 1)) {
        const struct name *name = &names->at[names->table[slot]];
        if (name->hash == hash && name->len == text.len && memcmp(name->text, text.at, text.len) == 0) break;
    }
    return slot;
}

uint32_t names_find(const struct names *names, baton_text text) {
    return names->slots > 0 ? names->table[slot_of(names, text, hash_of(text))] : NO_NUMBER;
}

/* At most two thirds of the slots are taken. */
static void make_slots(struct names *names) {
    if (names->live + 1 <= names->slots / 3 * 2) return;
    uint32_t slots = names->slots > 0 ? names->slots * 2 : 16;
    names->table = keep(names->table, slots, sizeof *names->table);
    names->slots = slots;
    memset(names->table, 0xff, slots * sizeof *names->table);
    for (uint32_t number = 0; number < names->count; number++) {
        if (!names->at[number].text) continue;
        uint32_t slot = names->at[number].hash & (slots - 1);
        while (names->table[slot] != NO_NUMBER) slot = (slot + 1) & (slots - 1);
        names->table[slot] = number;
    }
}

uint32_t names_add(struct names *names, baton_text text) {
    make_slots(names);
    if (names->free_count == 0 && names->count == names->room) {
        names->room = names->room < 16 ? 16 : names->room + names->room / 2;
        names->at = keep(names->at, names->room, sizeof *names->at);
        names->free = keep(names->free, names->room, sizeof *names->free);
    }
    uint32_t number = names->free_count > 0 ? names->free[--names->free_count] : names->count++;
    struct name *name = &names->at[number];
    name->text = keep(NULL, text.len + 1, 1);
    memcpy(name->text, text.at, text.len);
    name->text[text.len] = '\0';
    name->len = (uint32_t)text.len;
    name->hash = hash_of(text);
    names->table[slot_of(names, text, name->hash)] = number;
    names->live++;
    return number;
}

void names_remove(struct names *names, uint32_t number) {
    uint32_t mask = names->slots - 1;
    uint32_t hole = slot_of(names, names_text(names, number), names->at[number].hash);
    /* Those behind it move up, unless they would come before the place that they belong to. */
    for (uint32_t slot = (hole + 1) & mask; names->table[slot] != NO_NUMBER; slot = (slot + 1) & mask) {
        uint32_t home = names->at[names->table[slot]].hash & mask;
        if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
        names->table[hole] = names->table[slot];
        hole = slot;
    }
    names->table[hole] = NO_NUMBER;
    free(names->at[number].text);
    names->at[number].text = NULL;
    names->free[names->free_count++] = number;
    names->live--;
}

void names_drop(struct names *names) {
    for (uint32_t number = 0; number < names->count; number++) free(names->at[number].text);
    free(names->at);
    free(names->free);
    free(names->table);
    *names = (struct names){0};
}

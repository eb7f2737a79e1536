/* Memory that lives as long as a turn: small pieces are cut from one block, larger ones are blocks of their own, and at
 * the end of the turn all of it is free again at once. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Size of a block that small pieces are cut from, and from which size on a piece is a block of its own. */
#define BLOCK_SIZE 8192
#define LARGE_SIZE 2048

struct baton_block {
    baton_block *older;
    baton_block *newer;
    size_t size;
    size_t used;
    _Alignas(max_align_t) uint8_t data[];
};

static baton_block *new_block(size_t size) {
    if (size > SIZE_MAX - sizeof(baton_block)) return NULL;
    baton_block *block = malloc(sizeof(baton_block) + size);
    if (block) {
        block->older = block->newer = NULL;
        block->size = size;
        block->used = 0;
    }
    return block;
}

static void put_first(baton_arena *arena, baton_block *block) {
    block->older = arena->blocks;
    block->newer = NULL;
    if (arena->blocks) arena->blocks->newer = block;
    arena->blocks = block;
}

static void *alloc_large(baton_arena *arena, size_t size) {
    baton_block *block = new_block(size);
    if (!block) return NULL;
    block->used = size;
    put_first(arena, block);
    return block->data;
}

void *baton_arena_alloc(baton_arena *arena, size_t size) {
    if (size > SIZE_MAX - _Alignof(max_align_t)) return NULL;
    size_t rounded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (rounded > LARGE_SIZE) return alloc_large(arena, rounded);
    baton_block *block = arena->small;
    if (!block || block->size - block->used < rounded) {
        baton_block *fresh = new_block(BLOCK_SIZE);
        if (!fresh) return NULL;
        if (block) put_first(arena, block);
        arena->small = block = fresh;
    }
    arena->last = block->data + block->used;
    block->used += rounded;
    return arena->last;
}

/* A piece that is a block of its own has more than LARGE_SIZE bytes, and no other piece has. */
void *baton_arena_grow(baton_arena *arena, void *old, size_t old_size, size_t size) {
    if (!old) return baton_arena_alloc(arena, size);
    if (size <= old_size) return old;
    if (old_size > LARGE_SIZE) {
        baton_block *block = (baton_block *)((uint8_t *)old - offsetof(baton_block, data));
        if (size <= block->size) return old;
        if (size > SIZE_MAX - sizeof(baton_block)) return NULL;
        baton_block *grown = realloc(block, sizeof(baton_block) + size);
        if (!grown) return NULL;
        grown->size = grown->used = size;
        if (grown->newer) grown->newer->older = grown;
        else arena->blocks = grown;
        if (grown->older) grown->older->newer = grown;
        return grown->data;
    }
    baton_block *block = arena->small;
    if (old == arena->last && size <= LARGE_SIZE) {
        size_t begin = (size_t)((uint8_t *)old - block->data);
        size_t rounded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
        if (rounded <= block->size - begin) {
            block->used = begin + rounded;
            return old;
        }
    }
    void *moved = baton_arena_alloc(arena, size);
    if (moved) memcpy(moved, old, old_size);
    return moved;
}

void baton_arena_reset(baton_arena *arena) {
    while (arena->blocks) {
        baton_block *block = arena->blocks;
        arena->blocks = block->older;
        free(block);
    }
    if (arena->small) arena->small->used = 0;
    arena->last = NULL;
}

void baton_arena_free(baton_arena *arena) {
    baton_arena_reset(arena);
    free(arena->small);
    arena->small = NULL;
}

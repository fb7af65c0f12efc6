#include "list.h"

#include <stdlib.h>
#include <string.h>

/* Room for `length` values and an eighth more, so that n appends copy about 9n values and not n * n / 2. */
static int resize(list *self, size_t length) {
    if (length > self->capacity || length < self->capacity / 4) {
        size_t capacity = length + length / 8 + 6;
        int64_t *slots = realloc(self->slots, capacity * sizeof *slots);
        if (!slots) return 0;
        self->slots = slots;
        self->capacity = capacity;
    }
    self->length = length;
    return 1;
}

void list_clear(list *self) {
    free(self->slots);
    *self = (list){NULL, 0, 0};
}

int list_insert(list *self, size_t place, int64_t value) {
    size_t behind = self->length - place;
    if (!resize(self, self->length + 1)) return 0;
    memmove(self->slots + place + 1, self->slots + place, behind * sizeof value);
    self->slots[place] = value;
    return 1;
}

int64_t list_take(list *self, size_t place) {
    int64_t value = self->slots[place];
    memmove(self->slots + place, self->slots + place + 1, (self->length - 1 - place) * sizeof value);
    /* Less room is a favour: without it the list is as it was, but for its length. */
    if (!resize(self, self->length - 1)) self->length--;
    return value;
}

void list_reverse(list *self) {
    for (size_t left = 0, right = self->length; left + 1 < right; left++) {
        int64_t moved = self->slots[left];
        self->slots[left] = self->slots[--right];
        self->slots[right] = moved;
    }
}

/* Merges the sorted halves; of equal ones the left comes first. */
static void merge_sort(int64_t *slots, int64_t *room, size_t length, int64_t by) {
    if (length < 2) return;
    size_t half = length / 2, left = 0, right = half;
    merge_sort(slots, room, half, by);
    merge_sort(slots + half, room, length - half, by);
    for (size_t place = 0; place < length; place++) {
        int is_left = right == length || (left < half && slots[left] % by <= slots[right] % by);
        room[place] = is_left ? slots[left++] : slots[right++];
    }
    memcpy(slots, room, length * sizeof *slots);
}

int list_sort(list *self, int64_t by) {
    if (self->length < 2) return 1;
    int64_t *room = malloc(self->length * sizeof *room);
    if (!room) return 0;
    merge_sort(self->slots, room, self->length, by);
    free(room);
    return 1;
}

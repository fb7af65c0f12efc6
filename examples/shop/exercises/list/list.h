/* Python's list, of whole numbers: an array that grows by a share. */

#ifndef LIST_H
#define LIST_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t *slots;
    size_t length, capacity;
} list;

/* Frees what is inside; the list is empty then and can be used again. */
void list_clear(list *self);

/* Puts `value` before `place`, which is `length` at most. False: no memory, and nothing has changed. */
int list_insert(list *self, size_t place, int64_t value);

/* Takes out the value at `place`, which is below `length`. */
int64_t list_take(list *self, size_t place);

void list_reverse(list *self);

/* Stable, by the remainder of each value divided by `by`. False: no memory, and nothing has changed. */
int list_sort(list *self, int64_t by);

#endif

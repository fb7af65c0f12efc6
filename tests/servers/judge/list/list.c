/* The task `c-list` of MLP/1 (docs/judge.md): Python's list in C, or with one flaw that is chosen by -DFLAW_NAME. */

#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t value;

typedef struct {
    value *slots;
    size_t length, capacity;
} list;

static void *checked(void *memory) {
    if (!memory) {
        perror("list");
        exit(1);
    }
    return memory;
}

/* An eighth more than is needed and a little, as CPython does; less when half of it is empty. */
static void resize(list *self, size_t length) {
    if (length > self->capacity || length < self->capacity / 2) {
#ifdef FLAW_GROWS_BY_ONE
        size_t capacity = length;
#else
        size_t capacity = length ? (length + (length >> 3) + 6) & ~(size_t)3 : 0;
#endif
        if (capacity == 0) {
            free(self->slots);
            self->slots = NULL;
        } else {
            self->slots = checked(realloc(self->slots, capacity * sizeof(value)));
        }
        self->capacity = capacity;
    }
    self->length = length;
}

static void clear(list *self) {
#ifdef FLAW_LEAKS
    self->slots = NULL;
    self->length = self->capacity = 0;
#else
    resize(self, 0);
#endif
}

static void insert(list *self, size_t place, value new) {
    resize(self, self->length + 1);
    size_t behind = self->length - 1 - place;
#ifdef FLAW_OVERLAPS
    if (behind) memcpy(self->slots + place + 1, self->slots + place, behind * sizeof(value));
#else
    if (behind) memmove(self->slots + place + 1, self->slots + place, behind * sizeof(value));
#endif
    self->slots[place] = new;
}

static void removed(list *self, size_t place) {
    size_t behind = self->length - 1 - place;
    if (behind) memmove(self->slots + place, self->slots + place + 1, behind * sizeof(value));
    resize(self, self->length - 1);
}

/* Merges the sorted halves; of equal ones the left comes first. */
static void sort(value *slots, value *room, size_t length, value by) {
    if (length < 2) return;
    size_t half = length / 2, left = 0, right = half;
    sort(slots, room, half, by);
    sort(slots + half, room, length - half, by);
    for (size_t place = 0; place < length; place++) {
#ifdef FLAW_UNSTABLE
        int takes_left = left < half && (right == length || slots[left] % by < slots[right] % by);
#else
        int takes_left = left < half && (right == length || slots[left] % by <= slots[right] % by);
#endif
        room[place] = takes_left ? slots[left++] : slots[right++];
    }
    memcpy(slots, room, length * sizeof(value));
}

/* What is read of a line: its number, the operation, and the arguments. */
typedef struct {
    long long number;
    char name[16];
    value *given;
    char *is_null;
    size_t count, room;
} request;

static void give(request *asked, value number, int is_null) {
    if (asked->count == asked->room) {
        asked->room = asked->room ? asked->room * 2 : 16;
        asked->given = checked(realloc(asked->given, asked->room * sizeof(value)));
        asked->is_null = checked(realloc(asked->is_null, asked->room));
    }
    asked->given[asked->count] = number;
    asked->is_null[asked->count++] = (char)is_null;
}

static const char *member(const char *line, const char *name) {
    const char *found = strstr(line, name);
    return found ? found + strlen(name) : "";
}

static void parse(const char *line, request *asked) {
    asked->number = atoll(member(line, "\"i\":"));
    sscanf(member(line, "\"op\":"), "\"%15[A-Z]\"", asked->name);
    asked->count = 0;
    int depth = 0;
    for (const char *here = member(line, "\"a\":"); *here; here++) {
        if (*here == '[') depth++;
        else if (*here == ']' && --depth == 0) break;
        else if (*here == 'n') give(asked, 0, 1), here += 3;
        else if (*here == '-' || isdigit((unsigned char)*here)) {
            char *end;
            give(asked, strtoll(here, &end, 10), 0);
            here = end - 1;
        }
    }
}

static value given(const request *asked, size_t place) {
    return place < asked->count ? asked->given[place] : 0;
}

/* A place, counted from the end when negative; no place of the list is its length. */
static size_t at(const list *self, value index) {
    if (index < 0) index += (value)self->length;
#ifdef FLAW_UNCHECKED
    if (index < 0) return (size_t)index;
#endif
    return index < 0 || index >= (value)self->length ? self->length : (size_t)index;
}

static value clamped(value index, value low, value high, value length) {
    if (index < 0) index += length;
    return index < low ? low : index > high ? high : index;
}

static void say_values(const request *asked, const value *values, size_t count) {
    printf("{\"i\":%lld,\"ok\":[", asked->number);
    for (size_t place = 0; place < count; place++) printf("%s%" PRId64, place ? "," : "", values[place]);
    puts("]}");
}

static void say(const request *asked, value number) {
    printf("{\"i\":%lld,\"ok\":%" PRId64 "}\n", asked->number, number);
}

static void say_error(const request *asked, const char *code) {
    printf("{\"i\":%lld,\"err\":\"%s\"}\n", asked->number, code);
}

static void slice(const list *self, const request *asked) {
    value length = (value)self->length;
    value step = asked->count > 2 && !asked->is_null[2] ? asked->given[2] : 1;
    if (step == 0) {
        say_error(asked, "STEP");
        return;
    }
    value low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
    value here = asked->is_null[0] ? (step > 0 ? low : high) : clamped(asked->given[0], low, high, length);
    value end = asked->is_null[1] ? (step > 0 ? high : low) : clamped(asked->given[1], low, high, length);
#ifdef FLAW_STOPS_BEFORE_ZERO
    if (step < 0 && end < 0) end = 0;
#endif
    value *taken = checked(malloc((self->length + 1) * sizeof(value)));
    size_t count = 0;
    for (; step > 0 ? here < end : here > end; here += step) taken[count++] = self->slots[here];
    say_values(asked, taken, count);
    free(taken);
}

static int is(const request *asked, const char *name) {
    return strcmp(asked->name, name) == 0;
}

/* Operations that answer a value or an error; false for those that answer null. */
static int answer(list *self, const request *asked) {
    value first = given(asked, 0);
    size_t place = at(self, first);
    if (is(asked, "SLICE")) slice(self, asked);
    else if (is(asked, "ALL")) say_values(asked, self->slots, self->length);
    else if (is(asked, "LEN")) say(asked, (value)self->length);
    else if (is(asked, "CAP")) say(asked, (value)self->capacity);
    else if (is(asked, "COUNT") || is(asked, "INDEX")) {
        value count = 0, found = -1;
        for (size_t here = 0; here < self->length; here++) {
            if (self->slots[here] != first) continue;
            count++;
            if (found < 0) found = (value)here;
        }
        if (is(asked, "COUNT")) say(asked, count);
        else if (found < 0) say_error(asked, "VALUE");
        else say(asked, found);
    } else if (!is(asked, "GET") && !is(asked, "POP") && !is(asked, "SET") && !is(asked, "DEL")) return 0;
    else if (place == self->length) say_error(asked, "INDEX");
    else if (is(asked, "GET")) say(asked, self->slots[place]);
    else if (is(asked, "POP")) {
        say(asked, self->slots[place]);
        removed(self, place);
    } else {
        if (is(asked, "SET")) self->slots[place] = given(asked, 1);
        else removed(self, place);
        return 0;
    }
    return 1;
}

/* Operations that change the list and answer null. */
static void change(list *self, const request *asked) {
    value first = given(asked, 0);
    if (is(asked, "NEW")) clear(self);
    else if (is(asked, "APPEND")) insert(self, self->length, first);
    else if (is(asked, "INSERT")) {
        value length = (value)self->length;
        insert(self, (size_t)clamped(first, 0, length, length), given(asked, 1));
    } else if (is(asked, "EXTEND")) {
        for (size_t place = 0; place < asked->count; place++) insert(self, self->length, asked->given[place]);
    } else if (is(asked, "REVERSE")) {
        for (size_t left = 0, right = self->length; left + 1 < right; left++) {
            value moved = self->slots[left];
            self->slots[left] = self->slots[--right];
            self->slots[right] = moved;
        }
    } else if (is(asked, "SORT") && self->length) {
        value *room = checked(malloc(self->length * sizeof(value)));
        sort(self->slots, room, self->length, first);
        free(room);
    }
}

int main(void) {
    list self = {NULL, 0, 0};
    request asked = {0, "", NULL, NULL, 0, 0};
    char *line = NULL;
    size_t room = 0;
    if (getline(&line, &room, stdin) > 0) puts("{\"hello\":\"mlp/1\",\"impl\":\"list in C\",\"has\":[]}");
    fflush(stdout);
    while (getline(&line, &room, stdin) > 0) {
        parse(line, &asked);
        if (!answer(&self, &asked)) {
            change(&self, &asked);
            printf("{\"i\":%lld,\"ok\":null}\n", asked.number);
        }
        fflush(stdout);
    }
    clear(&self);
    free(self.slots);
    free(asked.given);
    free(asked.is_null);
    free(line);
    return 0;
}

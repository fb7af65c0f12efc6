/* The list behind the line protocol MLP/1: reads `{"i":1,"op":"APPEND","a":[7]}`, answers `{"i":1,"ok":null}`. */

#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

typedef struct {
    long long number;
    char name[16];
    list given;   /* the arguments */
    list is_null; /* 1 for each that is null */
} request;

static void need(int is_there) {
    if (is_there) return;
    perror("list");
    exit(1);
}

static void give(request *asked, int64_t value, int is_null) {
    need(list_insert(&asked->given, asked->given.length, value));
    need(list_insert(&asked->is_null, asked->is_null.length, is_null));
}

static const char *member(const char *line, const char *name) {
    const char *found = strstr(line, name);
    return found ? found + strlen(name) : "";
}

/* Enough JSON for what comes here: the arguments are numbers, nulls, or one array of numbers. */
static void parse(const char *line, request *asked) {
    asked->number = atoll(member(line, "\"i\":"));
    asked->name[0] = '\0';
    sscanf(member(line, "\"op\":"), "\"%15[A-Z]\"", asked->name);
    list_clear(&asked->given);
    list_clear(&asked->is_null);
    int depth = 0;
    for (const char *here = member(line, "\"a\":"); *here; here++) {
        if (*here == '[') {
            depth++;
        } else if (*here == ']' && --depth == 0) {
            break;
        } else if (*here == 'n') {
            give(asked, 0, 1);
            here += strlen("null") - 1;
        } else if (*here == '-' || isdigit((unsigned char)*here)) {
            char *end;
            give(asked, strtoll(here, &end, 10), 0);
            here = end - 1;
        }
    }
}

static int64_t argument(const request *asked, size_t place) {
    return place < asked->given.length ? asked->given.slots[place] : 0;
}

static int is(const request *asked, const char *name) {
    return strcmp(asked->name, name) == 0;
}

static void say_null(const request *asked) {
    printf("{\"i\":%lld,\"ok\":null}\n", asked->number);
}

static void say(const request *asked, int64_t value) {
    printf("{\"i\":%lld,\"ok\":%" PRId64 "}\n", asked->number, value);
}

static void say_error(const request *asked, const char *code) {
    printf("{\"i\":%lld,\"err\":\"%s\"}\n", asked->number, code);
}

static void say_values(const request *asked, const list *self, int64_t start, int64_t end, int64_t step) {
    const char *comma = "";
    printf("{\"i\":%lld,\"ok\":[", asked->number);
    for (int64_t here = start; step > 0 ? here < end : here > end; here += step) {
        printf("%s%" PRId64, comma, self->slots[here]);
        comma = ",";
    }
    puts("]}");
}

/* An index counted from the end when negative, then held between the bounds. */
static int64_t held(int64_t index, int64_t length, int64_t low, int64_t high) {
    if (index < 0) index += length;
    return index < low ? low : index > high ? high : index;
}

/* list[start:end:step], each of which may be left out. */
static void slice(const list *self, const request *asked) {
    int64_t length = (int64_t)self->length;
    const int64_t *is_null = asked->is_null.slots;
    int64_t step = is_null[2] ? 1 : argument(asked, 2);
    if (step == 0) {
        say_error(asked, "STEP");
        return;
    }
    /* Backwards the first place is the last value, and the end lies before the first. */
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
    int64_t start = is_null[0] ? (step > 0 ? low : high) : held(argument(asked, 0), length, low, high);
    int64_t end = is_null[1] ? (step > 0 ? high : low) : held(argument(asked, 1), length, low, high);
    say_values(asked, self, start, end, step);
}

static void find(const list *self, const request *asked) {
    int64_t wanted = argument(asked, 0), count = 0, first = -1;
    for (size_t place = 0; place < self->length; place++) {
        if (self->slots[place] != wanted) continue;
        if (count++ == 0) first = (int64_t)place;
    }
    if (is(asked, "COUNT")) say(asked, count);
    else if (count == 0) say_error(asked, "VALUE");
    else say(asked, first);
}

/* GET, POP, SET and DEL: what needs a place that is there. */
static void touch(list *self, const request *asked) {
    int64_t index = argument(asked, 0), length = (int64_t)self->length;
    if (index < 0) index += length;
    if (index < 0 || index >= length) {
        say_error(asked, "INDEX");
    } else if (is(asked, "GET")) {
        say(asked, self->slots[index]);
    } else if (is(asked, "POP")) {
        say(asked, list_take(self, (size_t)index));
    } else {
        if (is(asked, "SET")) self->slots[index] = argument(asked, 1);
        else list_take(self, (size_t)index);
        say_null(asked);
    }
}

static void change(list *self, const request *asked) {
    int64_t first = argument(asked, 0), length = (int64_t)self->length;
    if (is(asked, "NEW")) {
        list_clear(self);
    } else if (is(asked, "INSERT")) {
        need(list_insert(self, (size_t)held(first, length, 0, length), argument(asked, 1)));
    } else if (is(asked, "APPEND") || is(asked, "EXTEND")) {
        for (size_t place = 0; place < asked->given.length; place++)
            need(list_insert(self, self->length, asked->given.slots[place]));
    } else if (is(asked, "REVERSE")) {
        list_reverse(self);
    } else if (is(asked, "SORT")) {
        need(list_sort(self, first));
    } else {
        say_error(asked, "OP");
        return;
    }
    say_null(asked);
}

static void answer(list *self, const request *asked) {
    int64_t length = (int64_t)self->length;
    if (is(asked, "LEN")) say(asked, length);
    else if (is(asked, "CAP")) say(asked, (int64_t)self->capacity);
    else if (is(asked, "ALL")) say_values(asked, self, 0, length, 1);
    else if (is(asked, "SLICE")) slice(self, asked);
    else if (is(asked, "COUNT") || is(asked, "INDEX")) find(self, asked);
    else if (is(asked, "GET") || is(asked, "POP") || is(asked, "SET") || is(asked, "DEL")) touch(self, asked);
    else change(self, asked);
}

int main(void) {
    list self = {NULL, 0, 0};
    request asked = {0, "", {NULL, 0, 0}, {NULL, 0, 0}};
    char *line = NULL;
    size_t room = 0;
    if (getline(&line, &room, stdin) > 0) puts("{\"hello\":\"mlp/1\",\"impl\":\"list in C\",\"has\":[]}");
    fflush(stdout);
    while (getline(&line, &room, stdin) > 0) {
        parse(line, &asked);
        answer(&self, &asked);
        fflush(stdout);
    }
    list_clear(&self);
    list_clear(&asked.given);
    list_clear(&asked.is_null);
    free(line);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_view.c - the screen of "virtksm top", by ncurses
 *
 * Texts keep the terminal's own colours, so they are read on any background. Two colours are
 * added, for what is saved and for trouble, in shades that have the contrast for black and white
 * both; a terminal with few colours has no such green, and shows bold instead.
 *
 * Only the character set is taken from the locale: a decimal point is a point.
 *
 * Source: ncurses(3X), curs_color(3X), resizeterm(3X)
 */
#define _GNU_SOURCE
#include "agent/cli/top_view.h"
#include "agent/cli/text.h"

#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Of the palette of 256; contrast is 3.9:1 or more on black and on white. */
#define GREEN_OF_256 28
#define RED_OF_256   160

/* Lines that are there before a line of the head is: title, header, a few domains, keys. */
#define LINES_BEFORE_HEAD 6

/* What a terminal needs to have a screen; "dumb" has neither. Source: terminfo(5) */
#define CURSOR_ADDRESS "cup"
#define CLEAR_SCREEN   "clear"

enum {
    PAIR_GOOD = 1,
    PAIR_TROUBLE,
};

struct TopView {
    SCREEN *screen; /* owned */
    bool is_utf8;   /* the terminal's character set */
    attr_t good;    /* for what is saved */
    attr_t trouble; /* for what went wrong */
};

/* attrset() takes an int for historical reasons. */
static void
write_in(attr_t attributes)
{
    attrset((int)attributes);
}

static void
choose_colours(TopView *view)
{
    bool is_wanted = !g_getenv("NO_COLOR") && has_colors();

    view->good = A_BOLD;
    view->trouble = A_BOLD;
    if (!is_wanted || start_color() != OK || use_default_colors() != OK)
        return;
    init_pair(PAIR_TROUBLE, COLORS >= 256 ? RED_OF_256 : COLOR_RED, -1);
    view->trouble = COLOR_PAIR(PAIR_TROUBLE) | A_BOLD;
    if (COLORS < 256)
        return;
    init_pair(PAIR_GOOD, GREEN_OF_256, -1);
    view->good = COLOR_PAIR(PAIR_GOOD);
}

TopView *
top_view_new(void)
{
    TopView *view = NULL;
    SCREEN *screen = NULL;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return NULL;
    setlocale(LC_CTYPE, "");
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return NULL;
    if (!tigetstr(CURSOR_ADDRESS) || !tigetstr(CLEAR_SCREEN)) {
        endwin();
        delscreen(screen);
        return NULL;
    }
    view = g_new0(TopView, 1);
    view->screen = screen;
    view->is_utf8 = g_get_charset(NULL);
    choose_colours(view);
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(50);
    return view;
}

void
top_view_free(TopView *view)
{
    if (!view)
        return;
    endwin();
    delscreen(view->screen);
    g_free(view);
}

void
top_view_resize(TopView *view)
{
    struct winsize size = { 0 };

    (void)view;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    clearok(curscr, TRUE);
}

/* The part of a text that is at most @width columns wide; the cut is marked. */
static char *
cut(const char *text, size_t width)
{
    const char *end = text;
    g_autofree char *part = NULL;

    if (text_width(text) <= width)
        return g_strdup(text);
    if (width == 0)
        return g_strdup("");
    do {
        g_free(part);
        end += g_utf8_skip[(guchar)*end];
        part = g_strndup(text, (gsize)(end - text));
    } while (text_width(part) < width);
    /* The last character makes room for the mark. */
    do
        end--;
    while (((guchar)*end & 0xc0) == 0x80);
    return g_strdup_printf("%.*s~", (int)(end - text), text);
}

static void
put(const TopView *view, int y, size_t x, size_t width, const char *text)
{
    g_autofree char *part = cut(text, width);
    g_autofree char *plain = view->is_utf8 ? NULL : g_str_to_ascii(part, "C");

    mvaddstr(y, (int)x, plain ? plain : part);
}

static void
put_right(const TopView *view, int y, size_t end, size_t width, const char *text)
{
    size_t used = MIN(text_width(text), width);

    put(view, y, end - used, width, text);
}

/* Where a column ends, and how wide it is; the first takes what the others leave. */
typedef struct {
    unsigned column; /* of top_column() */
    size_t end;      /* column of the screen behind its last one */
    size_t width;    /* of its cells */
} Place;

static size_t
lay_out(Place *places, unsigned keep)
{
    unsigned columns[TOP_COLUMNS];
    size_t screen = (size_t)COLS;
    size_t n = top_fit(screen, keep, columns);
    size_t end = screen;

    for (size_t i = n - 1; i > 0; i--) {
        size_t width = MIN(top_column(columns[i])->width, end);

        places[i] = (Place){ columns[i], end, width };
        end -= MIN(width + 1, end);
    }
    places[0] = (Place){ columns[0], end, end };
    return n;
}

static void
draw_header(const TopView *view, int y, const Place *places, size_t n, const TopOrder *order)
{
    write_in(A_REVERSE);
    mvhline(y, 0, ' ', COLS);
    for (size_t i = 0; i < n; i++) {
        const char *title = top_column(places[i].column)->title;
        bool is_sorted = places[i].column == order->column;
        bool falls = (places[i].column == 0) == order->reverse;
        g_autofree char *marked = g_strdup_printf("%s%s", title, falls ? "v" : "^");

        write_in(is_sorted ? A_REVERSE | A_BOLD | A_UNDERLINE : A_REVERSE);
        if (i == 0)
            put(view, y, 0, places[i].width, is_sorted ? marked : title);
        else
            put_right(view, y, places[i].end, places[i].width, is_sorted ? marked : title);
    }
    write_in(A_NORMAL);
}

static void
draw_domain(const TopView *view, int y, const Place *places, size_t n, const TopPicture *picture,
            const Virtksm__V1__DomainReport *domain)
{
    for (size_t i = 0; i < n; i++) {
        const Place *place = &places[i];
        g_autofree char *cell =
            top_cell(picture->report, domain, place->column, picture->order.unit);

        write_in(top_column(place->column)->saves ? view->good : A_NORMAL);
        if (i == 0)
            put(view, y, 0, place->width, cell);
        else
            put_right(view, y, place->end, place->width, cell);
    }
    write_in(A_NORMAL);
}

/* Return: the line below. */
static int
draw_head(const TopView *view, const TopPicture *picture)
{
    size_t width = (size_t)COLS;
    int y = 0;

    write_in(picture->trouble ? view->trouble : A_BOLD);
    put(view, y++, 0, width, picture->trouble ? picture->trouble : picture->title);
    write_in(A_NORMAL);
    for (char *const *line = picture->head; *line && y + LINES_BEFORE_HEAD <= LINES; line++)
        put(view, y++, 0, width, *line);
    return y;
}

guint
top_view_draw(TopView *view, const TopPicture *picture)
{
    Place places[TOP_COLUMNS];
    size_t n = lay_out(places, picture->order.column);
    guint room = 0;
    int y = 0;

    erase();
    y = draw_head(view, picture);
    draw_header(view, y++, places, n, &picture->order);
    room = LINES - 1 > y ? (guint)(LINES - 1 - y) : 1;
    for (guint i = 0; i < room && picture->first + i < picture->sorted->len; i++)
        draw_domain(view, y++, places, n, picture,
                    g_ptr_array_index(picture->sorted, picture->first + i));
    put(view, LINES - 1, 0, (size_t)COLS, picture->keys);
    refresh();
    return room;
}

TopKey
top_view_key(TopView *view)
{
    static const struct {
        int code;
        TopKey key;
    } keys[] = {
        { 'q', TOP_KEY_QUIT },          { 'Q', TOP_KEY_QUIT },
        { '<', TOP_KEY_LEFT },          { ',', TOP_KEY_LEFT },
        { KEY_LEFT, TOP_KEY_LEFT },     { '>', TOP_KEY_RIGHT },
        { '.', TOP_KEY_RIGHT },         { KEY_RIGHT, TOP_KEY_RIGHT },
        { 'r', TOP_KEY_REVERSE },       { 'u', TOP_KEY_UNIT },
        { KEY_UP, TOP_KEY_UP },         { KEY_DOWN, TOP_KEY_DOWN },
        { KEY_PPAGE, TOP_KEY_PAGE_UP }, { KEY_NPAGE, TOP_KEY_PAGE_DOWN },
        { ' ', TOP_KEY_PAGE_DOWN },     { KEY_HOME, TOP_KEY_FIRST },
        { KEY_END, TOP_KEY_LAST },
    };
    int code = getch();

    (void)view;
    if (code == ERR)
        return TOP_KEY_NONE;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].code == code)
            return keys[i].key;
    }
    return TOP_KEY_OTHER;
}

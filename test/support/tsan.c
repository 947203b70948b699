/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tsan.c - what GLib keeps in order between threads, told to the thread sanitizer
 *
 * The sanitizer knows the C library's locks and the atomic operations that it has compiled. GLib's
 * locks are neither: they are its own, in a library that was compiled without it. Whatever one
 * thread hands to another by way of GLib would be taken for a race. So the linker's --wrap puts the
 * functions below in front of those of GLib's that our code uses for that; see tsan.cmake. A new
 * way from thread to thread needs a new one here.
 */
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* A function for the main loop. */
typedef struct {
    GSourceFunc function;
    gpointer data;         /* for both */
    GDestroyNotify notify; /* NULL: none */
} Handed;

guint __real_g_idle_add_full(gint priority, GSourceFunc function, gpointer data,
                             GDestroyNotify notify);
guint __wrap_g_idle_add_full(gint priority, GSourceFunc function, gpointer data,
                             GDestroyNotify notify);
void __real_g_async_queue_push(GAsyncQueue *queue, gpointer data);
void __wrap_g_async_queue_push(GAsyncQueue *queue, gpointer data);
gpointer __real_g_async_queue_pop(GAsyncQueue *queue);
gpointer __wrap_g_async_queue_pop(GAsyncQueue *queue);
void __real_g_mutex_lock(GMutex *mutex);
void __wrap_g_mutex_lock(GMutex *mutex);
void __real_g_mutex_unlock(GMutex *mutex);
void __wrap_g_mutex_unlock(GMutex *mutex);
void __real_g_cond_wait(GCond *cond, GMutex *mutex);
void __wrap_g_cond_wait(GCond *cond, GMutex *mutex);
gboolean __real_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_us);
gboolean __wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_us);

static gboolean
take(gpointer data)
{
    Handed *handed = data;

    __tsan_acquire(handed);
    return handed->function(handed->data);
}

static void
drop(gpointer data)
{
    Handed *handed = data;

    __tsan_acquire(handed);
    if (handed->notify)
        handed->notify(handed->data);
    g_free(handed);
}

guint
__wrap_g_idle_add_full(gint priority, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
    Handed *handed = g_new(Handed, 1);

    *handed = (Handed){ function, data, notify };
    __tsan_release(handed);
    return __real_g_idle_add_full(priority, take, handed, drop);
}

void
__wrap_g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    __tsan_release(queue);
    __real_g_async_queue_push(queue, data);
}

gpointer
__wrap_g_async_queue_pop(GAsyncQueue *queue)
{
    gpointer data = __real_g_async_queue_pop(queue);

    __tsan_acquire(queue);
    return data;
}

void
__wrap_g_mutex_lock(GMutex *mutex)
{
    __real_g_mutex_lock(mutex);
    __tsan_acquire(mutex);
}

void
__wrap_g_mutex_unlock(GMutex *mutex)
{
    __tsan_release(mutex);
    __real_g_mutex_unlock(mutex);
}

void
__wrap_g_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    __real_g_cond_wait(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean
__wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_us)
{
    gboolean is_signalled;

    __tsan_release(mutex);
    is_signalled = __real_g_cond_wait_until(cond, mutex, end_us);
    __tsan_acquire(mutex);
    return is_signalled;
}

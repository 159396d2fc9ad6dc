// SPDX-License-Identifier: Apache-2.0
// libmongoc as Debian builds it prepares itself before main(). When a process that was killed left its counters in
// /dev/shm and this one has got its number, it complains to stderr, before anybody could set a handler. So its default
// handler is ours.
#include <mongoc/mongoc.h>

extern "C" void mongoc_log_default_handler(mongoc_log_level_t, const char*, const char*, void*) {}

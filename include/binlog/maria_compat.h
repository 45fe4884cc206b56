/*
 * Events of MariaDB turned, in place, into what older readers and MySQL know: the length stays, so
 * that positions hold. As MariaDB 10.11 was seen to do it.
 */
#ifndef BINLOGD_BINLOG_MARIA_COMPAT_H
#define BINLOGD_BINLOG_MARIA_COMPAT_H

#include "binlog/event.h"

#define MARIA_COMPAT_BODY_MIN 6 /* bytes behind the header, without the CRC */

/* The whole event with its CRC, which is made anew (crc_len 0: it has none). It becomes a Query
 * that is a comment, or a User var where that does not fit. */
void maria_compat_dummy(uint8_t *event, uint32_t length, uint8_t crc_len);
/* A Gtid event that begins a transaction becomes its BEGIN; maria_compat_begins says whether. */
bool maria_compat_begins(uint32_t length, uint8_t crc_len, uint8_t gtid_flags);
void maria_compat_begin(uint8_t *event, uint32_t length, uint8_t crc_len);

#endif

/* Error numbers of the server that the daemon tells apart or gives (MySQL error reference). */
#ifndef BINLOGD_MYSQL_ERRCODE_H
#define BINLOGD_MYSQL_ERRCODE_H

#define ER_CON_COUNT_ERROR                   1040
#define ER_HANDSHAKE_ERROR                   1043
#define ER_ACCESS_DENIED_ERROR               1045
#define ER_UNKNOWN_COM_ERROR                 1047
#define ER_PARSE_ERROR                       1064
#define ER_UNKNOWN_SYSTEM_VARIABLE           1193
#define ER_SPECIFIC_ACCESS_DENIED_ERROR      1227
#define ER_SOURCE_FATAL_ERROR_READING_BINLOG 1236
#define ER_NOT_SUPPORTED_AUTH_MODE           1251
#define ER_SECURE_TRANSPORT_REQUIRED         3159

#endif

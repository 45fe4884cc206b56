/* Error numbers of the server that the daemon tells apart or gives (MySQL error reference). */
#ifndef BINLOGD_MYSQL_ERRCODE_H
#define BINLOGD_MYSQL_ERRCODE_H

#define ER_DISK_FULL                          1021
#define ER_CON_COUNT_ERROR                    1040
#define ER_HANDSHAKE_ERROR                    1043
#define ER_ACCESS_DENIED_ERROR                1045
#define ER_NO_DB_ERROR                        1046
#define ER_UNKNOWN_COM_ERROR                  1047
#define ER_BAD_DB_ERROR                       1049
#define ER_SERVER_SHUTDOWN                    1053
#define ER_BAD_FIELD_ERROR                    1054
#define ER_PARSE_ERROR                        1064
#define ER_EMPTY_QUERY                        1065
#define ER_NO_SUCH_THREAD                     1094
#define ER_NONEXISTING_GRANT                  1141
#define ER_KILL_DENIED_ERROR                  1095
#define ER_UNKNOWN_ERROR                      1105
#define ER_UNKNOWN_CHARACTER_SET              1115
#define ER_NET_PACKET_TOO_LARGE               1153
#define ER_NET_PACKETS_OUT_OF_ORDER           1156
#define ER_NET_READ_INTERRUPTED               1159
#define ER_UNKNOWN_SYSTEM_VARIABLE            1193
#define ER_SLAVE_MUST_STOP                    1198
#define ER_BAD_SLAVE                          1200
#define ER_TOO_MANY_USER_CONNECTIONS          1203
#define ER_WRONG_ARGUMENTS                    1210
#define ER_ERROR_WHEN_EXECUTING_COMMAND       1220
#define ER_SPECIFIC_ACCESS_DENIED_ERROR       1227
#define ER_LOCAL_VARIABLE                     1228
#define ER_GLOBAL_VARIABLE                    1229
#define ER_WRONG_VALUE_FOR_VAR                1231
#define ER_WRONG_TYPE_FOR_VAR                 1232
#define ER_NOT_SUPPORTED_YET                  1235
#define ER_SOURCE_FATAL_ERROR_READING_BINLOG  1236
#define ER_INCORRECT_GLOBAL_LOCAL_VAR         1238
#define ER_NOT_SUPPORTED_AUTH_MODE            1251
#define ER_SLAVE_WAS_RUNNING                  1254
#define ER_SLAVE_WAS_NOT_RUNNING              1255
#define ER_TRUNCATED_WRONG_VALUE              1292
#define ER_SP_DOES_NOT_EXIST                  1305
#define ER_QUERY_INTERRUPTED                  1317
#define ER_UNKNOWN_TARGET_BINLOG              1373
#define ER_TOO_BIG_PRECISION                  1426
#define ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT     1582
#define ER_SLAVE_HEARTBEAT_VALUE_OUT_OF_RANGE 1624
#define ER_DATA_OUT_OF_RANGE                  1690
#define ER_AUTO_POSITION_WITH_POSITION        1776
#define ER_REPLICA_CONFIGURATION              1794
#define ER_REPLICA_IO_THREAD_MUST_STOP        3021
#define ER_QUERY_TIMEOUT                      3024
#define ER_REPLICA_CHANNEL_DOES_NOT_EXIST     3074
#define ER_REPLICA_CHANNEL_MUST_STOP          3081
#define ER_REPLICA_CHANNEL_WAS_RUNNING        3083
#define ER_REPLICA_CHANNEL_WAS_NOT_RUNNING    3084
#define ER_SECURE_TRANSPORT_REQUIRED          3159
#define ER_MALFORMED_GTID_SET_ENCODING        1773
#define ER_MALFORMED_PACKET                   1835
#define ER_WARN_PURGE_LOG_IN_USE              1867
#define ER_WARN_PURGE_LOG_IS_ACTIVE           1868
/* Of MariaDB only. */
#define ER_INCORRECT_GTID_STATE  1941
#define ER_DUPLICATE_GTID_DOMAIN 1943
/* Of MySQL 8.0 and later. */
#define ER_REPLICA_FATAL_ERROR 13117

/* Of the client library, which a replica shows for its connection to the source. */
#define CR_CONN_HOST_ERROR 2003
#define CR_SERVER_LOST     2013

#endif

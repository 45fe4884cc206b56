/* Capability flags of the handshake (MySQL internals manual, "Capabilities Flags"). */
#ifndef BINLOGD_MYSQL_CAPS_H
#define BINLOGD_MYSQL_CAPS_H

#define CAP_LONG_PASSWORD      0x00000001u
#define CAP_LONG_FLAG          0x00000004u
#define CAP_CONNECT_WITH_DB    0x00000008u
#define CAP_PROTOCOL_41        0x00000200u
#define CAP_INTERACTIVE        0x00000400u
#define CAP_SSL                0x00000800u
#define CAP_TRANSACTIONS       0x00002000u
#define CAP_SECURE_CONNECTION  0x00008000u
#define CAP_MULTI_RESULTS      0x00020000u
#define CAP_PLUGIN_AUTH        0x00080000u
#define CAP_CONNECT_ATTRS      0x00100000u
#define CAP_PLUGIN_AUTH_LENENC 0x00200000u

#endif

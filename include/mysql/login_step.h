/* What a login machine, of either side, wants after it was fed. */
#ifndef BINLOGD_MYSQL_LOGIN_STEP_H
#define BINLOGD_MYSQL_LOGIN_STEP_H

enum login_step {
    LOGIN_MORE,       /* feed the next payload */
    LOGIN_WANT_TLS,   /* send what there is to send, start TLS, say that it is up */
    LOGIN_WANT_CHECK, /* of a server: run the check and say how it ended */
    LOGIN_DONE,
    LOGIN_FAILED /* err says why; what there is to send tells it to the peer */
};

#endif

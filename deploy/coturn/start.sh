#!/bin/sh
# Adds what comes from the environment to the configuration, then becomes the relay.
#   TURN_SECRET            shared with Anju (ANJU_VOICE__TURN_SECRET)
#   TURN_EXTERNAL_ADDRESS  the address browsers see, as a number; empty: this machine's own
set -eu
umask 077
: "${TURN_SECRET:?is the secret shared with Anju, set it in .env}"
run=${TURN_RUN:-/run/coturn}

{
    cat "${TURN_CONFIG:-/etc/coturn/anju/turnserver.conf}"
    printf 'static-auth-secret=%s\n' "$TURN_SECRET"
    if [ -n "${TURN_EXTERNAL_ADDRESS:-}" ]; then
        printf 'external-ip=%s\n' "$TURN_EXTERNAL_ADDRESS"
        # Both ends may be at this relay: then each is the other's peer, at this very address.
        printf 'allowed-peer-ip=%s\n' "$TURN_EXTERNAL_ADDRESS"
    fi
} > "$run/turnserver.conf"
unset TURN_SECRET
exec turnserver -c "$run/turnserver.conf"

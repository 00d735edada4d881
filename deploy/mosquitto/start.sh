#!/bin/sh
# Writes Mosquitto's password file from the environment, hashed, then becomes Mosquitto.
#   MQTT_PASSWORD         password of the account `anju`
#   MQTT_DEMO_PASSWORD    password of the demo community's account `jinxiu`; empty: no such account
#   MQTT_DEVICE_ACCOUNTS  community:password, several separated by commas; may be empty
set -eu
umask 077
: "${MQTT_PASSWORD:?is the password of the account anju}"
passwords=/mosquitto/run/passwords

{
    printf 'anju:%s\n' "$MQTT_PASSWORD"
    [ -z "${MQTT_DEMO_PASSWORD:-}" ] || printf 'jinxiu:%s\n' "$MQTT_DEMO_PASSWORD"
    [ -z "${MQTT_DEVICE_ACCOUNTS:-}" ] || printf '%s\n' "$MQTT_DEVICE_ACCOUNTS" | tr ',' '\n'
} > "$passwords"
mosquitto_passwd -U "$passwords"
# Mosquitto started by root becomes the user `mosquitto` before it reads this.
[ "$(id -u)" -ne 0 ] || chown mosquitto "$passwords"
unset MQTT_PASSWORD MQTT_DEMO_PASSWORD MQTT_DEVICE_ACCOUNTS
exec mosquitto -c /mosquitto/config/mosquitto.conf

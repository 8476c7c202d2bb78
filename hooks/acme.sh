#!/bin/sh
# Hooks for acme.sh: hands a renewed certificate over to tlsa-manager, and has the next one made for the key published ahead.
#
#   acme.sh --issue ... --reloadcmd "/path/to/hooks/acme.sh" \
#       --pre-hook "/path/to/hooks/acme.sh --before" --post-hook "/path/to/hooks/acme.sh --after"
#
# The hand-over needs --reloadcmd alone. acme.sh gives CERT_FULLCHAIN_PATH, CERT_KEY_PATH and Le_Domain, and runs its hooks in the
# directory of the domain. TLSA_MANAGER names another program, TLSA_MANAGER_CONFIG another configuration.

for program in "${TLSA_MANAGER:-}" "$(command -v tlsa-manager)" \
    /usr/local/bin/tlsa-manager /opt/tlsa-manager/bin/tlsa-manager /root/.local/bin/tlsa-manager; do
    if [ -n "$program" ] && [ -x "$program" ]; then
        exec "$program" hook acme.sh "$@"
    fi
done

echo "tlsa-manager: error: the program was not found, so nothing was done for ${Le_Domain:-$PWD};" \
    "the mail server keeps the certificate that it has" >&2
echo "tlsa-manager: hint: set TLSA_MANAGER in this file, then run acme.sh again" >&2
exit 1

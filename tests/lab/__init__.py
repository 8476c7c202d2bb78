"""The lab: real DNS, mail and ACME servers on loopback, inside network and mount namespaces of the test process.

`namespace` makes the private network, `hierarchy` a signed DNS from the root down, `elsewhere` zones on other servers
(`knot`, `powerdns`, `nsd`, `hidden`, `zonefiles`), `receiver` and `sender` two Postfix, `pebble` and `certbot` an ACME
authority with its client. `fixtures` hands them to tests.
"""

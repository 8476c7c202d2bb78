"""Who is who in the demo's world. Every address is one of loopback's; the authoritative servers share one port."""

DOMAIN = "example.org"
HOST = "mx.example.org"
OWNER = "_25._tcp.mx.example.org."
LINEAGE = "mx.example.org"

ROOT_ADDRESS = "127.0.53.1"
PRIMARY_ADDRESS = "127.0.53.2"
SECONDARY_ADDRESS = "127.0.53.3"
RESOLVER_ADDRESS = "127.0.53.4"  # of the mail server's host, where tlsa_manager runs
FAR_RESOLVER_ADDRESS = "127.0.53.5"  # of the sender, somewhere else in the world
MAIL_ADDRESS = "127.0.53.25"

TTL = 2  # seconds, of the TLSA records
LAG = 4.0  # seconds until the secondary has what the primary has

ROOT_ZONE = f"""
$TTL 60
.               SOA  a.root. hostmaster.{DOMAIN}. 1 60 60 3600 1
.               NS   a.root.
a.root.         A    {ROOT_ADDRESS}
{DOMAIN}.       NS   ns1.{DOMAIN}.
{DOMAIN}.       NS   ns2.{DOMAIN}.
ns1.{DOMAIN}.   A    {PRIMARY_ADDRESS}
ns2.{DOMAIN}.   A    {SECONDARY_ADDRESS}
"""
MAIL_ZONE = f"""
$TTL 60
{DOMAIN}.       SOA  ns1.{DOMAIN}. hostmaster.{DOMAIN}. 1 60 60 3600 1
{DOMAIN}.       NS   ns1.{DOMAIN}.
{DOMAIN}.       NS   ns2.{DOMAIN}.
{DOMAIN}.       MX   10 {HOST}.
ns1.{DOMAIN}.   A    {PRIMARY_ADDRESS}
ns2.{DOMAIN}.   A    {SECONDARY_ADDRESS}
{HOST}.         A    {MAIL_ADDRESS}
"""

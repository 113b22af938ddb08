package redact

import "strings"

// program describes which arguments of a program are secrets.
type program struct {
	// flags that take a secret, all with a dash or all without: -p as -pX or -p X,
	// -p+ only as -pX, -p_ only as -p X, -u: as user:secret (also , and %), -b= a
	// cookie, -l~ as name=secret.
	flags string
	// bundle lists the letters of flags without a value that may precede one of
	// flags in a word, as in curl -sku.
	bundle string
	// sub must stand before, in any case: the login of docker login.
	sub string
	// position of a positional secret: "last", "1", "2", … counted after sub; "=1"
	// with no flag before it; "1?" only if it looks random; "slash" is
	// user/secret, "colon" user:secret, "at" user:secret@host, "~" name=secret,
	// ">" >secret, "p=" that item of a list; "pairs" is any
	// name of a secret before it.
	position string
	// letter is the flag that position depends on.
	letter byte
	// stdin: with sub, it reads the secret from standard input.
	stdin bool
	// wraps: it runs another program; head: its own flags precede that.
	wraps, head bool
}

const (
	cURL  = "-u: -U: --user: --proxy-user: -b= --cookie= --proxy-header -E: --cert: --proxy-cert: --oauth2-bearer"
	brief = "sSkLfivgjNORIn#0123" // curl's flags without a value
)

// programs maps a name to its rules; the names of a group share them.
var programs = func() map[string][]program {
	m := map[string][]program{}
	for _, g := range groups {
		for _, name := range strings.Fields(g.names) {
			m[name] = g.rules
		}
	}
	return m
}()

var groups = []struct {
	names string
	rules []program
}{
	// logins and clouds
	{"sshpass", []program{{flags: "-p", wraps: true, head: true}}},
	{"docker podman nerdctl", []program{{sub: "login", flags: "-p", wraps: true}, {sub: "secret", stdin: true}}},
	{"buildah skopeo oras oc helm crane regctl", []program{{sub: "login", flags: "-p"}}},
	{"ctr", []program{{flags: "--user: -u:"}}},
	{"kubectl", []program{{sub: "secret", flags: "--from-literal~", wraps: true}}},
	{"az", []program{{sub: "login", flags: "-p"}, {sub: "set", flags: "--value"}, {sub: "sql", flags: "-p"}, {sub: "mysql", flags: "-p"},
		{sub: "postgres", flags: "-p"}, {flags: "--secure-environment-variables~"}}},
	{"aws", []program{{sub: "put-parameter", flags: "--value"}}},
	{"swift", []program{{flags: "-K"}}},
	{"gh", []program{{sub: "secret", flags: "-b --body"}, {sub: "secret", stdin: true}}},
	{"glab", []program{{sub: "login", flags: "-t_"}, {sub: "variable", flags: "-v --value", position: "3"}}},
	{"fly flyctl infisical supabase", []program{{sub: "secrets", position: "~"}}},
	{"doppler", []program{{sub: "secrets", position: "~"}, {sub: "secrets", position: "3"}}},
	{"heroku dokku", []program{{sub: "config:set", position: "~"}}},
	{"railway", []program{{flags: "--set~"}}},
	{"wrangler", []program{{sub: "secret", stdin: true}}},
	{"gcloud", []program{{sub: "secrets", stdin: true}}},
	{"op", []program{{sub: "create", position: "~"}, {sub: "edit", position: "~"}}},
	{"pass", []program{{sub: "insert", stdin: true}}},
	{"travis", []program{{sub: "env", position: "3"}, {sub: "encrypt", position: "~"}}},
	{"firebase", []program{{sub: "functions:config:set", position: "~"}, {sub: "functions:secrets:set", stdin: true}}},
	{"eas", []program{{sub: "secret:create", flags: "--value"}}},
	{"convex", []program{{sub: "env", position: "3"}}},
	{"cf", []program{{sub: "set-env", position: "3"}, {sub: "login", flags: "-p"}, {sub: "auth", position: "2"}, {sub: "create-user", position: "2"}}},
	{"nomad", []program{{sub: "var", position: "~"}}},
	{"chamber", []program{{sub: "write", position: "3"}}}, {"credstash", []program{{sub: "put", position: "2"}}},
	{"berglas", []program{{sub: "create", position: "2"}}},
	{"secret-tool", []program{{sub: "store", stdin: true}}}, {"keyring", []program{{sub: "set", stdin: true}}},
	{"kubeseal", []program{{sub: "--raw", stdin: true}}}, {"wg", []program{{sub: "pubkey", stdin: true}}},
	{"security", []program{{sub: "add-generic-password", flags: "-w"}, {sub: "add-internet-password", flags: "-w"},
		{sub: "unlock-keychain", flags: "-p"}, {sub: "create-keychain", flags: "-p"}, {sub: "import", flags: "-P"}}},
	{"act earthly", []program{{flags: "-s~ --secret~"}}},
	{"drone woodpecker-cli", []program{{sub: "secret", flags: "--data --value"}}},
	{"snyk", []program{{sub: "auth", position: "1"}}},
	{"conan", []program{{sub: "user", flags: "-p"}, {sub: "login", flags: "-p"}}},
	{"rclone", []program{{sub: "config", position: "pairs"}, {sub: "obscure", position: "1"}}},
	{"git", []program{{sub: "config", position: "pairs"}}},
	{"elasticsearch-users", []program{{sub: "useradd", flags: "-p"}, {sub: "passwd", flags: "-p"}}},
	{"mosquitto_ctrl", []program{{flags: "-P"}, {sub: "setClientPassword", position: "2"}}},
	{"steamcmd", []program{{sub: "+login", position: "2"}}},
	{"bitcoin-cli litecoin-cli dogecoin-cli", []program{{sub: "walletpassphrase", position: "1"}}},
	{"twine", []program{{sub: "upload", flags: "-p"}}},
	{"uv", []program{{sub: "publish", flags: "-p_ -t_"}}},
	{"poetry", []program{{sub: "publish", flags: "-p"}, {sub: "config", position: "3"}}},
	{"doctl", []program{{flags: "-t"}}}, {"netlify", []program{{flags: "--auth"}, {sub: "env:set", position: "2"}}},
	{"vercel", []program{{flags: "-t_"}, {sub: "secrets", position: "3"}, {sub: "add", stdin: true}}}, {"codecov", []program{{flags: "-t_"}}},
	{"nuget", []program{{flags: "-k"}}}, {"dotnet", []program{{sub: "nuget", flags: "-k"}}},
	{"cargo wandb", []program{{sub: "login", position: "1"}}},
	{"vault bao", []program{{sub: "login", position: "1"}, {sub: "unseal", position: "1"}, {sub: "revoke", position: "1?"}, {sub: "put", position: "~"},
		{sub: "patch", position: "~"}, {sub: "write", flags: "value"}}},
	{"ngrok", []program{{sub: "authtoken", position: "1"}}},
	{"cloudflared", []program{{sub: "install", position: "1"}}},
	{"pulumi", []program{{sub: "--secret", position: "2"}, {sub: "env", position: "4"}}},
	{"mc", []program{{sub: "set", position: "4"}, {sub: "add", position: "4"}}},
	{"bundle", []program{{sub: "config", position: "colon"}}},
	{"composer", []program{{sub: "config", position: "3"}, {sub: "github-oauth.github.com", position: "1"}, {sub: "gitlab-token.gitlab.com", position: "1"}}},
	{"ansible-vault", []program{{sub: "encrypt_string", position: "1"}}},
	{"bw", []program{{sub: "unlock", position: "=1"}, {sub: "login", position: "=2", flags: "--code"}}},
	{"samba-tool", []program{{sub: "create", position: "=2"}}},

	// databases
	{`mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlrepair mysqlanalyze mysqloptimize mysqlbinlog mysqlslap mysqlsh
		mysqlpump mysql_upgrade mariadb mariadb-dump mariadb-admin mariadb-import mariadb-check mariadb-backup mariadb-upgrade`,
		[]program{{flags: "-p+"}}},
	{`pt-archiver pt-duplicate-key-checker pt-heartbeat pt-kill pt-online-schema-change pt-query-digest pt-show-grants
		pt-table-checksum pt-table-sync`, []program{{flags: "-p", position: "p="}}},
	{`mycli mytop mydumper myloader check_mysql mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop
		cqlsh rabbitmqadmin cypher-shell couchbase-cli cbq hdbsql beeline`, []program{{flags: "-p"}}},
	{"redis-cli valkey-cli keydb-cli", []program{{flags: "-a"}, {sub: "auth", position: "last"}, {sub: "setuser", position: ">"},
		{sub: "requirepass", position: "1"}, {sub: "masterauth", position: "1"}}},
	{"redis-benchmark", []program{{flags: "-a"}}},
	{"sqlcmd bcp osql tsql sqsh mssql-cli", []program{{flags: "-P"}}},
	{"isql", []program{{flags: "-P", position: "=3"}}},
	{"vsql", []program{{flags: "-w"}}},
	{"sqlplus sqlldr expdp impdp rman", []program{{position: "slash"}}},
	{"influx", []program{{flags: "-t_ -p_"}}},
	{"rabbitmqctl", []program{{sub: "add_user", position: "2"}, {sub: "change_password", position: "2"}, {sub: "authenticate_user", position: "2"}}},
	{"etcdctl", []program{{flags: "--user:"}, {sub: "user", position: "colon"}}},
	{"mosquitto_pub mosquitto_sub mosquitto_rr", []program{{flags: "-P"}}},
	{"mosquitto_passwd htpasswd htdigest", []program{{letter: 'b', position: "last"}}},
	{"ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare ldapmodrdn ldapvi dsconf", []program{{flags: "-w", bundle: "xvnLZMc"}}},
	{"ldappasswd", []program{{flags: "-w -a_ -s_", bundle: "xvnZ"}}},
	{"slappasswd", []program{{flags: "-s"}}},

	// the net
	{"curl", []program{{flags: cURL, bundle: brief}}},
	{"http https xh", []program{{flags: "-a:", bundle: "vhbjfFSIcdk"}, {sub: "bearer", flags: "-a --auth"}, {sub: "--auth-type=bearer", flags: "-a --auth"}}},
	{"ab", []program{{flags: "-A: -P:", bundle: "klqSvVw"}}}, {"lftp open", []program{{flags: "-u,"}}},
	{"ttyd gotty", []program{{flags: "-c:"}}}, {"transmission-remote", []program{{flags: "-n:"}}},
	{"smbclient", []program{{flags: "-U% --user%", position: "=2"}}},
	{"rpcclient smbget smbcacls smbtree winexe wmic", []program{{flags: "-U% --user%"}}}, {"net", []program{{flags: "-U%"}}},
	{"nxc netexec crackmapexec evil-winrm", []program{{flags: "-p -t_"}}},
	{`psexec.py smbexec.py wmiexec.py atexec.py dcomexec.py secretsdump.py impacket-psexec impacket-smbexec impacket-wmiexec
		impacket-secretsdump`, []program{{position: "at"}}},
	{"racadm ncftpput ncftpget ncftpls rdesktop ipmi-power smbmap yt-dlp youtube-dl fence_ipmilan fence_apc fence_ilo fence_vmware_soap fence_drac5",
		[]program{{flags: "-p"}}},
	{"knife ipmitool", []program{{flags: "-P"}}},
	{"machine", []program{{sub: "login", flags: "password"}}}, // a line of .netrc
	{"grafana-cli grafana", []program{{sub: "reset-admin-password", position: "1"}}},
	{"xfreerdp wlfreerdp", []program{{flags: "/p:"}}},
	{"snmpwalk snmpget snmpset snmpbulkwalk snmptrap", []program{{flags: "-A -X -c"}}},
	{"swaks", []program{{flags: "-ap_"}}},
	{"wpa_passphrase", []program{{position: "2"}}},
	{"iwconfig", []program{{sub: "key", position: "1"}}}, {"wpa_cli", []program{{sub: "set_network", position: "pairs"}}},
	{"openfortivpn redfishtool", []program{{flags: "-p"}}}, {"sendemail", []program{{flags: "-xp_"}}},
	{"check_http check_tcp check_ldap", []program{{flags: "-a: -b:"}}},
	{"nmcli", []program{{flags: "password 802-11-wireless-security.psk wifi-sec.psk 802-1x.password"}}},
	{"radtest", []program{{position: "2"}, {position: "5"}}},

	// files and keys
	{"zip unzip zipcloak", []program{{flags: "-P"}}}, {"rar", []program{{flags: "-p+ -hp+"}}},
	{"7z 7za 7zr 7zz unrar", []program{{flags: "-p+"}}}, {"ccrypt", []program{{flags: "-K"}}},
	{"pdftk", []program{{flags: "user_pw owner_pw input_pw"}}},
	{"qpdf", []program{{sub: "--encrypt", position: "1"}, {sub: "--encrypt", position: "2"}}},
	{"openssl", []program{{flags: "-k_ -K_ -hmac -macopt"}, {sub: "passwd", position: "last"}}},
	{"pk12util", []program{{flags: "-W -K"}}}, {"yubico-piv-tool", []program{{flags: "-P -N"}}},
	{"ssh-keygen", []program{{flags: "-N_ -P_"}}},
	{"useradd usermod", []program{{flags: "-p"}}},
	{"oathtool mkpasswd", []program{{position: "last"}}},
}

// references are the programs whose --secret takes the name of a secret.
var references = set("docker podman nerdctl buildah buildctl gcloud pulumi act earthly")

// containers are flags whose value may be the name of a program.
var containers = set("--name --hostname --network-alias --service -h")

// valued are flags of programs with a position that take the next word.
var valued = set("-m -in -salt -accessor --name --stdin-name --stack --vault-id --vault-password-file --encrypt-vault-id")

// readers are the programs and flags that read a secret, with its separator.
var readers = map[string]byte{
	"--password-stdin": 0, "--passwd-on-stdin": 0, "--passphrase-fd": 0, "--with-token": 0, "--stdin": 0, "--pass-stdin": 0, "--key-file=-": 0,
	"-S": 0, "kinit": 0, "passwd": 0, "smbpasswd": 0, "cryptsetup": 0, "chpasswd": ':',
}

// addresses are the last words of names whose value is not a secret, though it
// is stored among secrets.
var addresses = set(`user username login email host hostname server endpoint url uri port region database db dbname name
	type env environment namespace bucket ttl`)

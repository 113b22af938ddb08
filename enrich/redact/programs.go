package redact

import "strings"

// program says which of a program's arguments are secrets.
type program struct {
	// flags, all with a dash or none: -p takes a secret, as -pX or -p X; -p+ only as -pX; -p_ only as
	// -p X; -u: one of the form user:secret, and so with , and %; -b= a cookie;
	// -l~ one of the form name=secret.
	flags string
	// bundle are the letters of flags without a value that may stand before
	// one of flags, as in curl -sku.
	bundle string
	// sub must have been seen before, in any case, as in docker login.
	sub string
	// place is where a positional secret is: "last", "1", "2", …, counted after
	// sub; "=1" with no flag before it; "1?" where it must look random; "slash"
	// is user/secret, "colon" user:secret, "at" user:secret@host, "~"
	// name=secret, ">" >secret, "p=" that part of a list.
	place string
	// letter is the flag that place depends on.
	letter byte
	// wraps: it runs another program; head: its flags stand before that.
	wraps, head bool
}

const (
	cURL  = "-u: -U: --user: --proxy-user: -b= --cookie= --proxy-header -E: --cert: --proxy-cert: --oauth2-bearer"
	brief = "sSkLfivgjNORIn#0123" // curl's flags without a value
)

// programs by name; those that groups has in one line share their rules.
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
	{"docker podman nerdctl", []program{{sub: "login", flags: "-p", wraps: true}}},
	{"buildah skopeo oras oc helm crane", []program{{sub: "login", flags: "-p"}}},
	{"kubectl", []program{{sub: "secret", flags: "--from-literal~", wraps: true}}},
	{"az", []program{{sub: "login", flags: "-p"}, {sub: "set", flags: "--value"}, {sub: "sql", flags: "-p"}, {sub: "mysql", flags: "-p"},
		{sub: "postgres", flags: "-p"}, {flags: "--secure-environment-variables~"}}},
	{"aws", []program{{sub: "put-parameter", flags: "--value"}}},
	{"swift", []program{{flags: "-K"}}},
	{"gh", []program{{sub: "secret", flags: "-b_ --body"}}},
	{"glab", []program{{sub: "login", flags: "-t_"}}},
	{"twine", []program{{sub: "upload", flags: "-p"}}},
	{"uv", []program{{sub: "publish", flags: "-p_ -t_"}}},
	{"poetry", []program{{sub: "publish", flags: "-p"}, {sub: "config", place: "3"}}},
	{"doctl", []program{{flags: "-t"}}}, {"netlify", []program{{flags: "--auth"}}}, {"vercel codecov", []program{{flags: "-t_"}}},
	{"nuget", []program{{flags: "-k"}}}, {"dotnet", []program{{sub: "nuget", flags: "-k"}}},
	{"cargo wandb", []program{{sub: "login", place: "1"}}},
	{"vault", []program{{sub: "login", place: "1"}, {sub: "unseal", place: "1"}, {sub: "revoke", place: "1?"}, {sub: "put", place: "~"},
		{sub: "patch", place: "~"}, {sub: "write", flags: "value"}}},
	{"ngrok", []program{{sub: "authtoken", place: "1"}}},
	{"cloudflared", []program{{sub: "install", place: "1"}}},
	{"pulumi", []program{{sub: "--secret", place: "2"}}},
	{"mc", []program{{sub: "set", place: "4"}, {sub: "add", place: "4"}}},
	{"bundle", []program{{sub: "config", place: "colon"}}},
	{"composer", []program{{sub: "config", place: "3"}, {sub: "github-oauth.github.com", place: "1"}, {sub: "gitlab-token.gitlab.com", place: "1"}}},
	{"ansible-vault", []program{{sub: "encrypt_string", place: "1"}}},
	{"bw", []program{{sub: "unlock", place: "=1"}, {sub: "login", place: "=2"}}},
	{"samba-tool", []program{{sub: "create", place: "=2"}}},

	// databases
	{`mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlrepair mysqlanalyze mysqloptimize mysqlbinlog mysqlslap mysqlsh
		mysqlpump mysql_upgrade mariadb mariadb-dump mariadb-admin mariadb-import mariadb-check mariadb-backup mariadb-upgrade`,
		[]program{{flags: "-p+"}}},
	{`pt-archiver pt-duplicate-key-checker pt-heartbeat pt-kill pt-online-schema-change pt-query-digest pt-show-grants
		pt-table-checksum pt-table-sync`, []program{{flags: "-p", place: "p="}}},
	{`mycli mytop mydumper myloader check_mysql mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop
		cqlsh rabbitmqadmin cypher-shell couchbase-cli cbq hdbsql beeline`, []program{{flags: "-p"}}},
	{"redis-cli valkey-cli keydb-cli", []program{{flags: "-a"}, {sub: "auth", place: "last"}, {sub: "setuser", place: ">"},
		{sub: "requirepass", place: "1"}, {sub: "masterauth", place: "1"}}},
	{"redis-benchmark", []program{{flags: "-a"}}},
	{"sqlcmd bcp osql tsql sqsh mssql-cli", []program{{flags: "-P"}}},
	{"isql", []program{{flags: "-P", place: "=3"}}},
	{"vsql", []program{{flags: "-w"}}},
	{"sqlplus sqlldr expdp impdp rman", []program{{place: "slash"}}},
	{"influx", []program{{flags: "-t_ -p_"}}},
	{"rabbitmqctl", []program{{sub: "add_user", place: "2"}, {sub: "change_password", place: "2"}, {sub: "authenticate_user", place: "2"}}},
	{"etcdctl", []program{{flags: "--user:"}, {sub: "user", place: "colon"}}},
	{"mosquitto_pub mosquitto_sub mosquitto_rr", []program{{flags: "-P"}}},
	{"mosquitto_passwd htpasswd htdigest", []program{{letter: 'b', place: "last"}}},
	{"ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare ldapmodrdn ldapvi dsconf", []program{{flags: "-w", bundle: "xvnLZMc"}}},
	{"ldappasswd", []program{{flags: "-w -a_ -s_", bundle: "xvnZ"}}},
	{"slappasswd", []program{{flags: "-s"}}},

	// the net
	{"curl", []program{{flags: cURL, bundle: brief}}},
	{"http https xh", []program{{flags: "-a:", bundle: "vhbjfFSIcdk"}, {sub: "bearer", flags: "-a --auth"}, {sub: "--auth-type=bearer", flags: "-a --auth"}}},
	{"ab", []program{{flags: "-A: -P:", bundle: "klqSvVw"}}}, {"lftp open", []program{{flags: "-u,"}}},
	{"ttyd gotty", []program{{flags: "-c:"}}}, {"transmission-remote", []program{{flags: "-n:"}}},
	{"smbclient", []program{{flags: "-U% --user%", place: "=2"}}},
	{"rpcclient smbget smbcacls smbtree winexe wmic", []program{{flags: "-U% --user%"}}}, {"net", []program{{flags: "-U%"}}},
	{"nxc netexec crackmapexec evil-winrm", []program{{flags: "-p -t_"}}},
	{`psexec.py smbexec.py wmiexec.py atexec.py dcomexec.py secretsdump.py impacket-psexec impacket-smbexec impacket-wmiexec
		impacket-secretsdump`, []program{{place: "at"}}},
	{"racadm ncftpput ncftpget ncftpls rdesktop ipmi-power smbmap yt-dlp youtube-dl fence_ipmilan fence_apc fence_ilo fence_vmware_soap fence_drac5",
		[]program{{flags: "-p"}}},
	{"knife ipmitool", []program{{flags: "-P"}}},
	{"machine", []program{{sub: "login", flags: "password"}}}, // a line of .netrc
	{"grafana-cli grafana", []program{{sub: "reset-admin-password", place: "1"}}},
	{"xfreerdp wlfreerdp", []program{{flags: "/p:"}}},
	{"snmpwalk snmpget snmpset snmpbulkwalk snmptrap", []program{{flags: "-A -X -c"}}},
	{"swaks", []program{{flags: "-ap_"}}},
	{"wpa_passphrase", []program{{place: "2"}}},
	{"nmcli", []program{{flags: "password 802-11-wireless-security.psk wifi-sec.psk 802-1x.password"}}},
	{"radtest", []program{{place: "2"}, {place: "5"}}},

	// files and keys
	{"zip unzip zipcloak", []program{{flags: "-P"}}}, {"rar", []program{{flags: "-p+ -hp+"}}},
	{"7z 7za 7zr 7zz unrar", []program{{flags: "-p+"}}}, {"ccrypt", []program{{flags: "-K"}}},
	{"pdftk", []program{{flags: "user_pw owner_pw input_pw"}}},
	{"qpdf", []program{{sub: "--encrypt", place: "1"}, {sub: "--encrypt", place: "2"}}},
	{"openssl", []program{{flags: "-k_ -K_ -hmac -macopt"}, {sub: "passwd", place: "last"}}},
	{"ssh-keygen", []program{{flags: "-N_ -P_"}}},
	{"useradd usermod", []program{{flags: "-p"}}},
	{"oathtool mkpasswd", []program{{place: "last"}}},
}

// references: for these, --secret names a secret, or says that one follows.
var references = set("docker podman nerdctl buildah buildctl gcloud pulumi")

// containers are flags whose value may be called as a program is.
var containers = set("--name --hostname --network-alias --service -h")

// valued are flags of the programs with a place whose value is the next word.
var valued = set("-m -in -salt -accessor --name --stdin-name --stack --vault-id --vault-password-file --encrypt-vault-id")

// readers are the programs and flags that read a secret, and of which form.
var readers = map[string]byte{
	"--password-stdin": 0, "--passphrase-fd": 0, "--with-token": 0, "--stdin": 0, "--pass-stdin": 0, "--key-file=-": 0,
	"-S": 0, "kinit": 0, "passwd": 0, "smbpasswd": 0, "cryptsetup": 0, "chpasswd": ':',
}

// addresses are last words of a name=value whose value is none, though it is
// kept with secrets.
var addresses = set(`user username login email host hostname server endpoint url uri port region database db dbname name
	type env environment namespace bucket ttl`)

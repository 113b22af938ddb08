package redact

// program says which of a program's arguments are secrets.
type program struct {
	// flags: -p takes a secret, as -pX or -p X; -p+ only as -pX; -p_ only as
	// -p X; -u: one of the form user:secret, and so with , and %; -b= a cookie.
	flags string
	// sub must have been seen before, as in docker login.
	sub string
	// place is where a positional secret is: "last", "1", "2", …, counted after
	// sub; "slash" is user/secret, "colon" user:secret.
	place string
	// letter is the flag that place depends on.
	letter byte
	// wraps: it runs another program; head: its flags stand before that.
	wraps, head bool
}

const (
	mysql  = "-p+"
	mongo  = "-p"
	ldap   = "-w -a_ -s_"
	smb    = "-U% --user%"
	cURL   = "-u: -U: --user: --proxy-user: -b= --cookie= --proxy-header -E:"
	login  = "-p"
	remote = "-p -t_"
)

var programs = map[string][]program{
	"sshpass": {{flags: "-p", wraps: true, head: true}},
	"docker":  {{sub: "login", flags: login, wraps: true}}, "podman": {{sub: "login", flags: login, wraps: true}},
	"nerdctl": {{sub: "login", flags: login, wraps: true}}, "buildah": {{sub: "login", flags: login}},
	"skopeo": {{sub: "login", flags: login}}, "oras": {{sub: "login", flags: login}},
	"oc": {{sub: "login", flags: login}}, "helm": {{sub: "login", flags: login}}, "crane": {{sub: "login", flags: login}},
	"az":  {{sub: "login", flags: login}, {sub: "set", flags: "--value"}},
	"aws": {{sub: "put-parameter", flags: "--value"}},
	"gh":  {{sub: "secret", flags: "-b_ --body"}}, "glab": {{sub: "login", flags: "-t_"}},
	"twine": {{sub: "upload", flags: "-p"}}, "poetry": {{sub: "publish", flags: "-p"}, {sub: "config", place: "3"}},
	"doctl": {{flags: "-t"}}, "netlify": {{flags: "--auth"}}, "vercel": {{flags: "-t_"}},
	"nuget": {{flags: "-k"}}, "dotnet": {{sub: "nuget", flags: "-k"}},
	"cargo": {{sub: "login", place: "1"}}, "vault": {{sub: "login", place: "1"}, {sub: "unseal", place: "1"}},
	"ngrok": {{sub: "authtoken", place: "1"}}, "mc": {{sub: "set", place: "4"}, {sub: "add", place: "4"}},
	"bundle": {{sub: "config", place: "colon"}}, "composer": {{sub: "config", place: "3"}},

	"mysql": {{flags: mysql}}, "mysqldump": {{flags: mysql}}, "mysqladmin": {{flags: mysql}},
	"mysqlimport": {{flags: mysql}}, "mysqlshow": {{flags: mysql}}, "mysqlcheck": {{flags: mysql}},
	"mysqlbinlog": {{flags: mysql}}, "mysqlslap": {{flags: mysql}}, "mysqlsh": {{flags: mysql}},
	"mysqlpump": {{flags: mysql}}, "mariadb": {{flags: mysql}}, "mariadb-dump": {{flags: mysql}},
	"mariadb-admin": {{flags: mysql}}, "mariadb-check": {{flags: mysql}}, "mariadb-backup": {{flags: mysql}},
	"mycli": {{flags: "-p"}}, "mytop": {{flags: "-p"}}, "mydumper": {{flags: "-p"}}, "myloader": {{flags: "-p"}},
	"mongo": {{flags: mongo}}, "mongosh": {{flags: mongo}}, "mongodump": {{flags: mongo}}, "mongorestore": {{flags: mongo}},
	"mongoexport": {{flags: mongo}}, "mongoimport": {{flags: mongo}}, "mongostat": {{flags: mongo}}, "mongotop": {{flags: mongo}},
	"redis-cli": {{flags: "-a"}}, "valkey-cli": {{flags: "-a"}}, "keydb-cli": {{flags: "-a"}}, "redis-benchmark": {{flags: "-a"}},
	"sqlcmd": {{flags: "-P"}}, "bcp": {{flags: "-P"}}, "osql": {{flags: "-P"}}, "tsql": {{flags: "-P"}}, "sqsh": {{flags: "-P"}},
	"sqlplus": {{place: "slash"}}, "sqlldr": {{place: "slash"}}, "expdp": {{place: "slash"}}, "impdp": {{place: "slash"}}, "rman": {{place: "slash"}},
	"cqlsh": {{flags: "-p"}}, "influx": {{flags: "-t_ -p_"}},
	"rabbitmqctl":   {{sub: "add_user", place: "2"}, {sub: "change_password", place: "2"}, {sub: "authenticate_user", place: "2"}},
	"rabbitmqadmin": {{flags: "-p"}}, "etcdctl": {{flags: "--user:"}},
	"mosquitto_pub": {{flags: "-P"}}, "mosquitto_sub": {{flags: "-P"}}, "mosquitto_rr": {{flags: "-P"}},
	"mosquitto_passwd": {{letter: 'b', place: "last"}},
	"ldapsearch":       {{flags: ldap}}, "ldapadd": {{flags: "-w"}}, "ldapmodify": {{flags: "-w"}}, "ldapdelete": {{flags: "-w"}},
	"ldapwhoami": {{flags: "-w"}}, "ldappasswd": {{flags: ldap}}, "ldapcompare": {{flags: "-w"}}, "ldapmodrdn": {{flags: "-w"}},

	"curl": {{flags: cURL}}, "http": {{flags: "-a:"}}, "https": {{flags: "-a:"}}, "xh": {{flags: "-a:"}},
	"ab": {{flags: "-A: -P:"}}, "lftp": {{flags: "-u,"}}, "open": {{flags: "-u,"}},
	"smbclient": {{flags: smb}}, "rpcclient": {{flags: smb}}, "smbget": {{flags: smb}}, "net": {{flags: "-U%"}},
	"smbcacls": {{flags: smb}}, "smbtree": {{flags: smb}},
	"nxc": {{flags: remote}}, "netexec": {{flags: remote}}, "crackmapexec": {{flags: remote}}, "evil-winrm": {{flags: remote}},
	"racadm": {{flags: "-p"}}, "knife": {{flags: "-P"}}, "ncftpput": {{flags: "-p"}}, "ncftpget": {{flags: "-p"}}, "ncftpls": {{flags: "-p"}},
	"pdftk": {{flags: "user_pw owner_pw input_pw"}}, "qpdf": {{sub: "--encrypt", place: "1"}, {sub: "--encrypt", place: "2"}},
	"grafana-cli": {{sub: "reset-admin-password", place: "1"}}, "grafana": {{sub: "reset-admin-password", place: "1"}},
	"rdesktop": {{flags: "-p"}}, "xfreerdp": {{flags: "/p:"}}, "wlfreerdp": {{flags: "/p:"}},
	"ipmitool": {{flags: "-P"}}, "ipmi-power": {{flags: "-p"}},
	"snmpwalk": {{flags: "-A_ -X_ -c_"}}, "snmpget": {{flags: "-A_ -X_ -c_"}}, "snmpset": {{flags: "-A_ -X_ -c_"}},
	"snmpbulkwalk": {{flags: "-A_ -X_ -c_"}}, "snmptrap": {{flags: "-A_ -X_ -c_"}},

	"zip": {{flags: "-P"}}, "unzip": {{flags: "-P"}}, "zipcloak": {{flags: "-P"}}, "unrar": {{flags: "-p+"}}, "rar": {{flags: "-p+ -hp+"}},
	"7z": {{flags: "-p+"}}, "7za": {{flags: "-p+"}}, "7zr": {{flags: "-p+"}}, "7zz": {{flags: "-p+"}},
	"openssl":  {{flags: "-k_ -K_ -hmac -macopt"}, {sub: "passwd", place: "last"}},
	"htpasswd": {{letter: 'b', place: "last"}}, "htdigest": {{letter: 'b', place: "last"}},
	"ssh-keygen": {{flags: "-N_ -P_"}}, "wpa_passphrase": {{place: "2"}}, "nmcli": {{flags: "password 802-11-wireless-security.psk"}},
	"useradd": {{flags: "-p"}}, "usermod": {{flags: "-p"}},
	"oathtool": {{place: "last"}}, "mkpasswd": {{place: "last"}}, "radtest": {{place: "2"}},
}

// references: for these, --secret names a secret.
var references = set("docker podman nerdctl buildah buildctl gcloud")

// containers are flags whose value may be called as a program is.
var containers = set("--name --hostname --network-alias --service -h")

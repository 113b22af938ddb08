package redact

import (
	"strings"
	"testing"
)

func BenchmarkArgs(b *testing.B) {
	r := must(b, Options{})
	const size = 32 << 10
	hostile := func(s string) string { return strings.Repeat(s, size/len(s)) + "\x00" }
	for _, c := range []struct{ name, args string }{
		{"benign", list("gcc -O2 -Wall -Wextra -DNDEBUG=1 -I/usr/include/x86_64-linux-gnu/glib-2.0 -I/build/linux-6.1.55/include/generated/uapi -fno-strict-aliasing -Wno-unused -o /build/linux-6.1.55/drivers/net/main.o /build/linux-6.1.55/main.c")},
		{"benign, a script", list("sh -c 'cd /build && make -j4 all V=1 PREFIX=/usr && make install DESTDIR=/tmp/x'")},
		{"benign, looked at", list("curl -fsSL -o /tmp/keyring.asc https://download.example.com/linux/debian/gpg?author=x --retry 3 --connect-timeout 10")},
		{"one secret", list("mysql -h db -u root -phunter2 shop -e 'select 1'")},
		{"a script with secrets", list(`sh -c 'curl -H "Authorization: Bearer abcdefgh123456" https://x; export TOKEN=abc123; make'`)},
		{"32 KiB: benign", hostile("/usr/lib/x86_64-linux-gnu/libfoo.so.1.2.3\x00")},
		{"32 KiB: a", hostile("a")},
		{"32 KiB: =", hostile("=")},
		{"32 KiB: password=", hostile("password=")},
		{"32 KiB: password=x NUL", hostile("password=x\x00")},
		{"32 KiB: --password NUL", hostile("--password\x00")},
		{"32 KiB: key=", hostile("key=")},
		{"32 KiB: key=$a", hostile("key=$a&")},
		{"32 KiB: ://", hostile("a://")},
		{"32 KiB: ://u:p/", hostile("://u:p/")},
		{"32 KiB: eyJ-", hostile("eyJ-")},
		{"32 KiB: ghp_", hostile("ghp_")},
		{"32 KiB: quotes", hostile(`"' `) + "token"},
		{"32 KiB: nested quotes", hostile(`"\"key `)},
		{"32 KiB: mysql", hostile("mysql -px ")},
		{"32 KiB: mysql NUL", hostile("htpasswd\x00-b\x00")},
		{"32 KiB: mkpasswd", hostile("docker mkpasswd ")},
		{"32 KiB: BEGIN", hostile("-----BEGIN PRIVATE")},
		{"32 KiB: <password>", hostile("<password>")},
		{"32 KiB: PASSWORD '", hostile(" password '")},
		{"32 KiB: token=a.b(", hostile("token=a.b(")},
		{"32 KiB: token={", hostile("token={")},
		{"32 KiB: \"token\":$(", hostile(`"token":$(`)},
		{"32 KiB: <<<", hostile("passwd <<<a ")},
		{"32 KiB: name=TOKEN,value=", hostile("name=TOKEN,value=a,")},
		{"32 KiB: @tcp(", hostile("u:p@tcp(")},
		{"32 KiB: password(", hostile(" password('")},
		{"32 KiB: by '", hostile("identified by '")},
		{"32 KiB: vault put", list("vault kv put ") + hostile("a=b\x00")},
		{"32 KiB: --from-literal", list("kubectl create secret ") + hostile("--from-literal\x00a=b\x00")},
		{"32 KiB: send", hostile("assword send \"a")},
		{"32 KiB: send(", hostile("token:sendline('((b")},
		{"32 KiB: .login(", hostile(".login(a,")},
		{"32 KiB: setenv(", hostile("setenv('TOKEN', ")},
		{"32 KiB: s/@TOKEN@", "sed -e\x00" + hostile("s/@TOKEN@/")},
		{"32 KiB: s|@TOKEN@|", "sed -e\x00" + hostile("s|@TOKEN@| ")},
		{"32 KiB: &sig=", hostile("&sig=abc")},
		{"32 KiB: PassWord", hostile("PassWord")},
		{"32 KiB: secrets set", list("fly secrets set ") + hostile("a=b\x00")},
		{"32 KiB: config", list("git config ") + hostile("user.password\x00")},
		{"32 KiB: read", hostile("read TOKEN <<<a ")},
		{"32 KiB: $ENV{TOKEN}=", hostile("$ENV{TOKEN}=")},
		{"32 KiB: spaces", "token" + hostile(" ") + "="},
		{"32 KiB: backslashes", "token" + hostile(`\`) + "="},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.args)))
			for b.Loop() {
				r.Args(c.args)
			}
		})
	}
}

func TestBenignListsAllocateNothing(t *testing.T) {
	r := must(t, Options{})
	for _, l := range corpus(t, "testdata/benign.txt") {
		args := list(l.text)
		r.Args(args) // grows the buffers
		if n := testing.AllocsPerRun(10, func() { r.Args(args) }); n != 0 {
			t.Errorf("line %d: %v allocations for %q", l.number, n, args)
		}
	}
}

// BenchmarkBenignCorpus is the time for all benign command lines.
func BenchmarkBenignCorpus(b *testing.B) {
	r := must(b, Options{})
	var all []string
	for _, l := range corpus(b, "testdata/benign.txt") {
		all = append(all, list(l.text))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, args := range all {
			r.Args(args)
		}
	}
}

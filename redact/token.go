package redact

import "strings"

// tokenFormat describes tokens that can be recognized by themselves: a prefix,
// then at least min bytes of a set.
type tokenFormat struct {
	prefix string
	min    int
	set    byteSet
	dots   int // at least so many of the bytes are dots
}

type byteSet uint8

const (
	word62  byteSet = 1 << iota // letters and digits
	url64                       // and - _
	dotted                      // and - _ .
	hex                         // lower or upper case
	base64s                     // and + / = - _
)

// tokenFormats does not list ids of keys (AKIA…): they are not secret, and an
// auditor needs them.
var tokenFormats = []tokenFormat{
	{prefix: "ghp_", min: 30, set: word62}, {prefix: "gho_", min: 30, set: word62},
	{prefix: "ghu_", min: 30, set: word62}, {prefix: "ghs_", min: 30, set: dotted},
	{prefix: "ghr_", min: 30, set: word62}, {prefix: "github_pat_", min: 40, set: url64},
	{prefix: "glpat-", min: 16, set: dotted}, {prefix: "glptt-", min: 16, set: url64},
	{prefix: "gldt-", min: 16, set: url64}, {prefix: "glrt-", min: 16, set: dotted},
	{prefix: "glcbt-", min: 16, set: url64}, {prefix: "glsoat-", min: 16, set: url64},
	{prefix: "glagent-", min: 16, set: url64}, {prefix: "gloas-", min: 16, set: url64},
	{prefix: "GR1348941", min: 16, set: url64}, {prefix: "ATBB", min: 28, set: word62},
	{prefix: "ATATT3", min: 24, set: base64s}, {prefix: "ATCTT3", min: 60, set: base64s},
	{prefix: "xoxa-", min: 10, set: url64}, {prefix: "xoxb-", min: 10, set: url64},
	{prefix: "xoxe-", min: 10, set: url64}, {prefix: "xoxe.xox", min: 10, set: url64},
	{prefix: "xoxo-", min: 10, set: url64}, {prefix: "xoxp-", min: 10, set: url64},
	{prefix: "xoxr-", min: 10, set: url64}, {prefix: "xoxs-", min: 10, set: url64},
	{prefix: "xoxc-", min: 10, set: url64}, {prefix: "xoxd-", min: 10, set: base64s},
	{prefix: "xapp-", min: 20, set: url64}, {prefix: "xwfp-", min: 20, set: url64},
	{prefix: "sk_live_", min: 16, set: word62}, {prefix: "sk_test_", min: 16, set: word62},
	{prefix: "rk_live_", min: 16, set: word62}, {prefix: "rk_test_", min: 16, set: word62},
	{prefix: "whsec_", min: 20, set: base64s}, {prefix: "npm_", min: 30, set: word62},
	{prefix: "pypi-Ag", min: 40, set: url64}, {prefix: "rubygems_", min: 40, set: hex},
	{prefix: "dckr_pat_", min: 20, set: url64}, {prefix: "dckr_oat_", min: 20, set: url64},
	{prefix: "dop_v1_", min: 40, set: hex}, {prefix: "doo_v1_", min: 40, set: hex}, {prefix: "dor_v1_", min: 40, set: hex},
	{prefix: "SG.", min: 50, set: dotted}, {prefix: "hf_", min: 30, set: word62}, {prefix: "api_org_", min: 30, set: word62},
	{prefix: "sk-ant-", min: 20, set: url64}, {prefix: "sk-proj-", min: 20, set: url64},
	{prefix: "sk-svcacct-", min: 20, set: url64}, {prefix: "sk-admin-", min: 20, set: url64},
	{prefix: "sk-or-", min: 20, set: url64}, {prefix: "sk-", min: 32, set: word62},
	{prefix: "gsk_", min: 40, set: word62}, {prefix: "xai-", min: 60, set: word62}, {prefix: "pplx-", min: 40, set: word62},
	{prefix: "r8_", min: 30, set: word62}, {prefix: "tvly-", min: 24, set: url64}, {prefix: "fw_", min: 24, set: word62},
	{prefix: "SK", min: 32, set: hex}, {prefix: "AIza", min: 30, set: url64}, {prefix: "GOCSPX-", min: 20, set: url64},
	{prefix: "ya29.", min: 30, set: dotted}, {prefix: "1//0", min: 40, set: url64},
	{prefix: "hvs.", min: 20, set: url64}, {prefix: "hvb.", min: 40, set: url64}, {prefix: "hvr.", min: 40, set: url64},
	{prefix: "AGE-SECRET-KEY-1", min: 20, set: word62}, {prefix: "AGE-PLUGIN-", min: 30, set: url64},
	{prefix: "glsa_", min: 32, set: url64}, {prefix: "glc_eyJ", min: 32, set: base64s},
	{prefix: "SWMTKN-1-", min: 40, set: url64}, {prefix: "SWMKEY-1-", min: 30, set: base64s},
	{prefix: "pul-", min: 40, set: hex}, {prefix: "lin_api_", min: 30, set: word62}, {prefix: "dapi", min: 32, set: hex},
	{prefix: "shpat_", min: 32, set: hex}, {prefix: "shpca_", min: 32, set: hex}, {prefix: "shppa_", min: 32, set: hex},
	{prefix: "shpss_", min: 32, set: hex}, {prefix: "sntrys_", min: 40, set: base64s}, {prefix: "sntryu_", min: 40, set: hex},
	{prefix: "NRAK-", min: 24, set: word62}, {prefix: "PMAK-", min: 40, set: url64}, {prefix: "ntn_", min: 40, set: word62},
	{prefix: "dp.pt.", min: 40, set: word62}, {prefix: "dp.st.", min: 40, set: dotted}, {prefix: "pscale_", min: 36, set: dotted},
	{prefix: "sqp_", min: 40, set: hex}, {prefix: "squ_", min: 40, set: hex}, {prefix: "sqa_", min: 40, set: hex},
	{prefix: "tskey-", min: 20, set: url64}, {prefix: "cio", min: 32, set: word62}, {prefix: "AKCp", min: 60, set: word62},
	{prefix: "HRKU-", min: 36, set: url64}, {prefix: "xkeysib-", min: 60, set: url64}, {prefix: "EAAA", min: 60, set: url64},
	{prefix: "sq0atp-", min: 22, set: url64}, {prefix: "sq0csp-", min: 40, set: url64}, {prefix: "ops_eyJ", min: 100, set: base64s},
	{prefix: "fo1_", min: 43, set: url64}, {prefix: "fm2_", min: 100, set: base64s}, {prefix: "FlyV1 ", min: 60, set: base64s},
	{prefix: "dt0c01.", min: 80, set: dotted}, {prefix: "sha256~", min: 40, set: url64}, {prefix: "rdme_", min: 60, set: word62},
	{prefix: "figd_", min: 36, set: url64}, {prefix: "nvapi-", min: 40, set: url64}, {prefix: "CFPAT-", min: 36, set: url64},
	{prefix: "4/0A", min: 30, set: url64},
	{prefix: "eyJ", min: 40, set: dotted, dots: 2},
}

var byteSets = func() (sets [256]byteSet) {
	for c := range 256 {
		b := byte(c)
		if alnum(b) {
			sets[c] |= word62 | url64 | dotted | base64s
		}
		if digit(b) || 'a' <= lower(b) && lower(b) <= 'f' {
			sets[c] |= hex
		}
		switch b {
		case '-', '_':
			sets[c] |= url64 | dotted | base64s
		case '.':
			sets[c] |= dotted
		case '+', '/', '=':
			sets[c] |= base64s
		}
	}
	return sets
}()

// token redacts the token that starts at i, the start of a word, and returns its
// end; 0 if there is none. A token cut by the end of the input may be short.
func (r *Redactor) token(i, end int) int {
	s := r.s[:end]
	for _, f := range r.formats[s[i]] {
		if !strings.HasPrefix(s[i:], f.prefix) || f.dots > 0 && i < r.jwtUntil {
			continue
		}
		from, dots := i+len(f.prefix), 0
		to := from
		for to < end && byteSets[s[to]]&f.set != 0 {
			if s[to] == '.' {
				dots++
			}
			to++
		}
		if f.dots > 0 {
			r.jwtUntil = to // a run of eyJ is read once
		}
		cut := to == len(r.s) && (to-from >= 4 && len(f.prefix) > 2 || to-from >= 16)
		if to-from < f.min && !cut || dots < f.dots && !(cut && to-from >= 16) {
			continue
		}
		if f.set == hex && to < end && alnum(s[to]) {
			continue
		}
		r.hide(i, to)
		return to
	}
	return 0
}

// pem redacts the private key block that starts at i and returns its end; 0 if
// there is none.
func (r *Redactor) pem(i, end int) int {
	s := r.s[i:end]
	line := s[:min(len(s), 64)]
	if !strings.HasPrefix(s, "-----BEGIN ") || !strings.Contains(line, "PRIVATE KEY") {
		return 0
	}
	to := end
	if last := strings.Index(s, "-----END "); last >= 0 {
		last += len("-----END ")
		if dashes := strings.Index(s[last:], "-----"); dashes >= 0 {
			to = i + last + dashes + len("-----")
		}
		if strings.HasPrefix(r.s[to:end], "\\n") { // JSON of a service account
			to += 2
		}
	}
	r.hide(i, to)
	return to
}

// telegram redacts the bot token around the colon at i.
func (r *Redactor) telegram(i, end int) {
	start := i
	for start > 0 && digit(r.s[start-1]) && i-start < 16 {
		start--
	}
	to := i + 1
	for to < end && byteSets[r.s[to]]&url64 != 0 {
		to++
	}
	if i-start >= 8 && (to-i > 30 || to == len(r.s) && to-i > 4) && r.s[i+1] == 'A' {
		r.hide(start, to)
	}
}

// terraform redacts the token around the .atlasv1. at i.
func (r *Redactor) terraform(i, end int) int {
	start, to := i, i+len(".atlasv1.")
	for start > 0 && alnum(r.s[start-1]) && i-start < 64 {
		start--
	}
	for to < end && byteSets[r.s[to]]&url64 != 0 {
		to++
	}
	r.hide(start, to)
	return to
}

package render

import (
	"path"
	"slices"
	"strings"
	"text/template/parse"
	"unicode"

	"helm.sh/helm/v3/pkg/chart"
)

// Whether what a chart gives follows from its files and values alone is told by
// the functions that its templates call: only those listed here are known to
// ask neither clock nor chance. A function that is not listed, a new one of
// Helm's among them, makes a chart one that is rendered every time. keys and
// values have no order of their own, so that any of theirs is as good.
const pureFunctions = `
	and or not len index slice print printf println html js urlquery eq ne lt le gt ge call break continue
	include tpl required fail lookup toYaml mustToYaml toYamlPretty fromYaml fromYamlArray toToml fromToml fromJsonArray
	date_modify dateModify duration must_date_modify mustDateModify mustToDate toDate unixEpoch
	abbrev abbrevboth trunc trim upper lower title untitle substr repeat trimall trimAll trimSuffix trimPrefix
	nospace initials swapcase snakecase camelcase kebabcase wrap wrapWith contains hasPrefix hasSuffix quote squote
	cat indent nindent replace plural sha1sum sha256sum sha512sum adler32sum toString atoi int64 int float64 seq
	toDecimal split splitList splitn toStrings until untilStep add1 add sub div mod mul add1f addf subf divf mulf
	biggest max min maxf minf ceil floor round join sortAlpha default empty coalesce all any compact mustCompact
	fromJson toJson toPrettyJson toRawJson mustFromJson mustToJson mustToPrettyJson mustToRawJson ternary deepCopy
	mustDeepCopy typeOf typeIs typeIsLike kindOf kindIs deepEqual base dir clean ext isAbs osBase osClean osDir osExt
	osIsAbs b64enc b64dec b32enc b32dec tuple list dict get set unset hasKey pluck keys pick omit merge
	mergeOverwrite mustMerge mustMergeOverwrite values append push mustAppend mustPush prepend mustPrepend first
	mustFirst rest mustRest last mustLast initial mustInitial reverse mustReverse uniq mustUniq without mustWithout
	has mustHas mustSlice concat dig chunk mustChunk derivePassword buildCustomCert decryptAES semver semverCompare
	regexMatch mustRegexMatch regexFindAll mustRegexFindAll regexFind mustRegexFind regexReplaceAll
	mustRegexReplaceAll regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit mustRegexSplit regexQuoteMeta
	urlParse urlJoin hello`

// plainArguments are the functions that may make the string which tpl takes for
// a template: they put none together of parts.
const plainArguments = `
	toYaml mustToYaml toYamlPretty toJson mustToJson toPrettyJson toRawJson toString default required include trim quote`

// impureFunctions ask the clock, chance or the network, or may, for some of
// their arguments.
const impureFunctions = `
	now ago date date_in_zone dateInZone durationRound htmlDate htmlDateInZone randAlphaNum randAlpha randAscii
	randNumeric randInt randBytes shuffle uuidv4 bcrypt htpasswd genPrivateKey genCA genCAWithKey genSelfSignedCert
	genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES getHostByName env expandenv`

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// purity judges charts.
type purity struct{ pure, impure, plain map[string]bool }

func newPurity() *purity {
	return &purity{wordSet(pureFunctions), wordSet(impureFunctions), wordSet(plainArguments)}
}

// verdict is what is known of a chart.
type verdict struct {
	// pure is false when a template asks for more than files and values, or it
	// cannot be told.
	pure bool
	// tpl is true when strings are taken for templates: then no value may name
	// a function that is not pure, whatever it is used for.
	tpl bool
}

// judge reads a chart's templates. ch must be as it was loaded.
func (p *purity) judge(ch *chart.Chart) verdict {
	s := scan{purity: p, pure: true}
	s.chart(ch)
	if s.pure && s.tpl {
		// Any string may become a template. One that is put together of parts
		// on its way through variables and other templates is not seen.
		s.pure = !slices.ContainsFunc(s.texts, p.names) && !p.namedInFiles(ch)
	}
	return verdict{pure: s.pure, tpl: s.tpl}
}

// holds reports whether the result for these values may be kept.
func (p *purity) holds(v verdict, user map[string]any) bool {
	return v.pure && (!v.tpl || !p.namedIn(user))
}

// names reports whether a function that is not pure is named in text, or tpl,
// which would take more for a template.
func (p *purity) names(text string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if p.impure[word] || word == "tpl" {
			return true
		}
	}
	return false
}

func (p *purity) namedIn(v any) bool {
	switch v := v.(type) {
	case string:
		return p.names(v)
	case []any:
		return slices.ContainsFunc(v, p.namedIn)
	case map[string]any:
		for key, value := range v {
			if p.names(key) || p.namedIn(value) {
				return true
			}
		}
	}
	return false
}

// namedInFiles looks at what is beside the templates: files and Chart.yaml. CRDs
// among the files speak of dates, and are no templates to anybody.
func (p *purity) namedInFiles(ch *chart.Chart) bool {
	for _, f := range ch.Raw {
		of := strings.HasPrefix(f.Name, "templates/") || strings.HasPrefix(f.Name, "crds/") || strings.HasPrefix(f.Name, "charts/")
		if !of && p.names(string(f.Data)) {
			return true
		}
	}
	return slices.ContainsFunc(ch.Dependencies(), p.namedInFiles)
}

// scan walks the templates of a chart.
type scan struct {
	*purity
	pure, tpl bool
	// texts are what templates hold as text, and the strings of their actions.
	texts []string
}

func (s *scan) chart(ch *chart.Chart) {
	for _, t := range ch.Templates {
		trees := map[string]*parse.Tree{}
		tree := parse.New(path.Base(t.Name))
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(string(t.Data), "", "", trees); err != nil {
			s.pure = false // rendering it says what is wrong
			return
		}
		for _, tree := range trees {
			s.node(tree.Root)
		}
	}
	for _, dep := range ch.Dependencies() {
		s.chart(dep)
	}
}

func (s *scan) node(n parse.Node) {
	switch n := n.(type) {
	case nil:
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				s.node(c)
			}
		}
	case *parse.TextNode:
		s.texts = append(s.texts, string(n.Text))
	case *parse.StringNode:
		s.texts = append(s.texts, n.Text)
	case *parse.ActionNode:
		s.node(n.Pipe)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				s.node(c)
			}
		}
	case *parse.CommandNode:
		s.command(n)
	case *parse.ChainNode:
		s.node(n.Node)
	case *parse.IdentifierNode:
		s.pure = s.pure && s.purity.pure[n.Ident]
		s.tpl = s.tpl || n.Ident == "tpl"
	case *parse.IfNode:
		s.branch(&n.BranchNode)
	case *parse.RangeNode:
		s.branch(&n.BranchNode)
	case *parse.WithNode:
		s.branch(&n.BranchNode)
	case *parse.TemplateNode:
		s.node(n.Pipe)
	case *parse.BoolNode, *parse.NumberNode, *parse.NilNode, *parse.DotNode, *parse.FieldNode, *parse.VariableNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
	default:
		s.pure = false // a construct of a newer Go
	}
}

func (s *scan) branch(b *parse.BranchNode) {
	s.node(b.Pipe)
	s.node(b.List)
	s.node(b.ElseList)
}

// command is one call. What tpl is given must not be put together there.
func (s *scan) command(n *parse.CommandNode) {
	for _, a := range n.Args {
		s.node(a)
	}
	if id, ok := n.Args[0].(*parse.IdentifierNode); ok && id.Ident == "tpl" {
		s.pure = s.pure && len(n.Args) == 3 && s.isPlain(n.Args[1])
	}
}

// isPlain reports whether an argument is a value, or one that went through
// functions which only write it down.
func (s *scan) isPlain(n parse.Node) bool {
	pipe, ok := n.(*parse.PipeNode)
	if !ok {
		_, made := n.(*parse.ChainNode)
		return !made
	}
	for _, c := range pipe.Cmds {
		id, called := c.Args[0].(*parse.IdentifierNode)
		if called && !s.plain[id.Ident] {
			return false
		}
		if !called && len(c.Args) > 1 {
			continue // a method: .Files.Get, whose files are looked at
		}
		for _, a := range c.Args[1:] {
			if !s.isPlain(a) {
				return false
			}
		}
	}
	return true
}

package main

import (
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

func recordSelectors() {
	emit(object{"oracle": "k8s.io/apimachinery v0.36.3"})
	sets := []labels.Set{
		{}, {"a": "1"}, {"a": "2", "b": "x"}, {"x": "in", "y": ""}, {"a": "10", "example.com/k": "v"}, {"in": "notin"},
	}
	texts := []string{
		"", " ", "a", "!a", "a=1", "a==1", "a!=1", "a=", "a= ", "a in (1)", "a in (1,2)", "a in (2,1)", "a notin (1,2)",
		"a in ()", "a in (,)", "a in (1,)", "a in (,1)", "a in (1,,2)", "a notin ()", "x in (in,notin)", "in in (notin)",
		"notin", "in", "x=in", "a>1", "a<10", "a>x", "a>", "a<1,a>0", "b,a", "b=x,a=2,!c", "example.com/k=v",
		"a=1,", ",a", ",", "a,,b", "a b", "a=b c", "a in", "a in (", "a in (1", "a in (1 2)", "a in 1", "a in (1))",
		"a=(", "a===1", "a=!1", "!", "!!a", "!a=1", "!a in (1)", "(a)", "a in (1", "a in (=)", "a notin", "a=1 b=2",
		"/a", "a/", "a/b/c", "UPPER.com/a=1", "-a=1", "a_=1", "a=-1", "a=1_", "a=%", "a in (%,1)", "é=1", "a=é",
		strings.Repeat("k", 64), "a=" + strings.Repeat("v", 64), strings.Repeat("p", 254) + "/a", "a\t=\n1", "a=1\x00,b",
		"a in ( 1 , 2 )", "a != 1 , b", "a=1,a=2", "z,y,x", "a>=1", "a=>1", "a<>1", "=1", ">1", "a ! b", "a=1!",
		"a>1,b<2,c", "a>9223372036854775808", "a>1.5", "a in (a,a)", "a=b,b=a,",
	}
	for _, text := range texts {
		result := object{"label": text}
		if selector, err := labels.Parse(text); err != nil {
			result["error"] = err.Error()
		} else {
			matches := []bool{}
			for _, set := range sets {
				matches = append(matches, selector.Matches(set))
			}
			result["printed"], result["matches"] = selector.String(), matches
		}
		emit(result)
	}
	objects := []string{
		`null`, `{}`, `{"matchLabels":{"a":"1"}}`, `{"matchLabels":{"a":"1","b":"2"}}`,
		`{"matchExpressions":[{"key":"a","operator":"In","values":["2","1"]}]}`,
		`{"matchExpressions":[{"key":"a","operator":"NotIn","values":["2","1"]},{"key":"b","operator":"Exists"}]}`,
		`{"matchExpressions":[{"key":"a","operator":"DoesNotExist"}],"matchLabels":{"x":"in"}}`,
		`{"matchExpressions":[{"key":"a","operator":"In"}]}`, `{"matchExpressions":[{"key":"a","operator":"NotIn","values":[]}]}`,
		`{"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]}`,
		`{"matchExpressions":[{"key":"a","operator":"exists"}]}`, `{"matchExpressions":[{"key":"a","operator":""}]}`,
		`{"matchExpressions":[{"key":"","operator":"Exists"}]}`, `{"matchExpressions":[{"key":"a b","operator":"In","values":["c d","e f"]}]}`,
		`{"matchLabels":{"a b":"c d"}}`, `{"matchLabels":{"a":""}}`, `{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}`,
		`{"matchExpressions":[{"key":"a","operator":"DoesNotExist","values":["x","y"]}]}`,
	}
	for _, text := range objects {
		result := object{"object": parse(text)}
		var selector *metav1.LabelSelector
		if err := json.Unmarshal([]byte(text), &selector); err != nil {
			panic(err)
		}
		if selector, err := metav1.LabelSelectorAsSelector(selector); err != nil {
			result["error"] = err.Error()
		} else {
			matches := []bool{}
			for _, set := range sets {
				matches = append(matches, selector.Matches(set))
			}
			result["printed"], result["matches"] = selector.String(), matches
		}
		emit(result)
	}
	fieldSets := []fields.Set{
		{}, {"metadata.name": "a"}, {"metadata.name": "b,c=d\\e", "spec.nodeName": "n"}, {"status.phase": "Running", "metadata.name": ""},
	}
	fieldTexts := []string{
		"", ",", "metadata.name=a", "metadata.name==a", "metadata.name!=a", "metadata.name=a,spec.nodeName!=n", "metadata.name=",
		"metadata.name!=", `metadata.name=b\,c\=d\\e`, `metadata.name=b,c=d`, `metadata.name=a\x`, `metadata.name=a\`, "metadata.name",
		"=a", "=", "!=", "a=b=c", "status.phase=Running,metadata.name=", "b=1,a=2", "a!b", "a!=b!=c", " metadata.name = a ", `a\,b=c`,
		"metadata.name=a,,spec.nodeName=", "é=ü", `a=\,`,
	}
	for _, text := range fieldTexts {
		result := object{"field": text}
		if selector, err := fields.ParseSelector(text); err != nil {
			result["error"] = err.Error()
		} else {
			matches := []bool{}
			for _, set := range fieldSets {
				matches = append(matches, selector.Matches(set))
			}
			result["printed"], result["matches"] = selector.String(), matches
		}
		emit(result)
	}
}

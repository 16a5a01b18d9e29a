package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"strconv"
)

// scalar is a value under a verb with flags, and what fmt printed.
type scalar struct {
	Flags     string `json:"flags"`
	Width     *int   `json:"width"`
	Precision *int   `json:"precision"`
	Verb      string `json:"verb"`
	Kind      string `json:"kind"`
	Value     string `json:"value"`
	Out       string `json:"out"`
}

func scalars(encoder *json.Encoder, r *rand.Rand, count int) {
	for range count {
		s := scalar{}
		format := "%"
		for _, flag := range "+-# 0" {
			if r.Intn(4) == 0 {
				s.Flags += string(flag)
			}
		}
		format += s.Flags
		if r.Intn(3) == 0 {
			width := r.Intn(30)
			s.Width = &width
			format += strconv.Itoa(width)
			if width == 0 {
				s.Width, format = nil, format[:len(format)-1]
			}
		}
		if r.Intn(2) == 0 {
			precision := r.Intn(20)
			s.Precision = &precision
			format += "." + strconv.Itoa(precision)
		}
		var value any
		verbs := ""
		switch r.Intn(6) {
		case 0, 1, 2:
			float := [](func() float64){r.NormFloat64, func() float64 { return float64(r.Intn(2000)-1000) / 8 }, func() float64 { return math.Float64frombits(r.Uint64()) },
				func() float64 { return math.Pow(10, float64(r.Intn(60)-30)) }, func() float64 {
					return []float64{0, math.Copysign(0, -1), 0.5, 1.5, 2.5, 1e21, 1e20, 123456789, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}[r.Intn(13)]
				}}[r.Intn(5)]()
			if r.Intn(5) == 0 {
				s.Kind, value = "float32", float32(float)
				s.Value = strconv.FormatUint(uint64(math.Float32bits(float32(float))), 10)
			} else {
				s.Kind, value = "float64", float
				s.Value = strconv.FormatUint(math.Float64bits(float), 10)
			}
			verbs = "vvgGeEfFxXb"
		case 3:
			int := int64(r.Uint64()) >> r.Intn(64)
			s.Kind, s.Value, value = "int", strconv.FormatInt(int, 10), int
			verbs = "vddxXobOcqU"
		case 4:
			uint := r.Uint64() >> r.Intn(64)
			s.Kind, s.Value, value = "uint", strconv.FormatUint(uint, 10), uint
			verbs = "vddxXobOcqU"
		case 5:
			text := make([]byte, 0)
			for range r.Intn(8) {
				text = append(text, [][]byte{[]byte("a"), []byte("é"), []byte("日"), []byte("\n"), []byte("\""), []byte("`"), {0xff}, {0}, []byte("\u200b"), []byte("😀"), {0x7f}, []byte("\\"), []byte("\u00a0"), {0xe2, 0x98}}[r.Intn(14)]...)
			}
			s.Kind, s.Value, value = "string", base64.StdEncoding.EncodeToString(text), string(text)
			verbs = "vsqxX"
		}
		s.Verb = string(verbs[r.Intn(len(verbs))])
		s.Out = base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(format+s.Verb, value)))
		encoder.Encode(s)
	}
}

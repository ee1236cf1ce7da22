package msr

import "strings"

// Card is a stripe.
type Card struct {
	Holder  string // "SURNAME/GIVEN NAME", at most 26 characters
	PAN     string
	Expiry  string // YYMM
	Service string // three digits
	Third   bool   // has a track 3
}

// discretionary data of the test cards: no real key made it.
const discretionary = "000000000"

// Tracks are the characters between the sentinels of tracks 1, 2 and 3.
func (c Card) Tracks() (one, two, three string) {
	one = "B" + c.PAN + "^" + c.Holder + "^" + c.Expiry + c.Service + discretionary
	two = c.PAN + "=" + c.Expiry + c.Service + discretionary
	if c.Third {
		// Format 99, country and currency 156, and the fields that UnionPay's cards leave at zero or out.
		three = "99" + c.PAN + "=" + "156" + "156" + "0" + "0000" + "0000" + "0000" + "00" + "3" + "000000" + "0" + "00" + "00" + "00" + c.Expiry + "1" + "=" + "=" + "=" + "0" + "=" + "00000000"
	}
	return one[:min(len(one), 76)], two[:min(len(two), 37)], three
}

func (c Card) masked() string {
	if len(c.PAN) < 13 {
		return strings.Repeat("*", len(c.PAN))
	}
	return c.PAN[:6] + strings.Repeat("*", len(c.PAN)-10) + c.PAN[len(c.PAN)-4:]
}

// Profile is a card that has a stripe and no chip, with the account behind it.
type Profile struct {
	Card
	Name           string
	Title, TitleZH string
	PIN            string // what its holder types; "" for one who has none
	Balance        int64  // minor units
	Code           string // response code to every sale; "" lets balance and PIN decide
}

// Profiles are the cards without a chip.
func Profiles() []Profile {
	return []Profile{
		{Card{"WU/MEI", pan("621226020000000012"), "3011", "120", true}, "stripe-debit", "Stripe debit card", "磁条借记卡", "123456", 1000000, ""},
		{Card{"ZHENG/HAO", pan("622575000000034"), "3009", "101", false}, "stripe-credit", "Stripe credit card", "磁条信用卡", "123456", 800000, ""},
		{Card{"FENG/LI", pan("621226020000000020"), "2306", "120", true}, "stripe-expired", "Expired stripe card", "过期磁条卡", "123456", 1000000, ""},
		{Card{"CHEN/YUN", pan("621226020000000038"), "3011", "123", true}, "stripe-cash-only", "Cash machine card", "仅限取现磁条卡", "123456", 1000000, ""},
	}
}

// pan adds the check digit (ISO/IEC 7812-1, annex B).
func pan(s string) string {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return s + string(rune('0'+(10-sum%10)%10))
}

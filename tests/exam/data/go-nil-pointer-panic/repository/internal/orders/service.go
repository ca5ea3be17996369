package orders

type customer struct{ discount int }

type order struct {
	cents    int
	customer *customer
}

// Service knows all orders.
type Service struct{ orders map[string]*order }

// New returns a service with two orders.
func New() *Service {
	return &Service{orders: map[string]*order{
		"1": {cents: 900, customer: &customer{discount: 10}},
		"2": {cents: 1500},
	}}
}

// Total is the price of an order in cents.
func (s *Service) Total(id string) int {
	found := s.orders[id]
	return found.cents * (100 - percent(found.customer)) / 100
}

func percent(c *customer) int {
	return c.discount
}

class Pricing
  def initialize(order)
    @order = order
  end

  def total
    @order[:items].sum
  end
end

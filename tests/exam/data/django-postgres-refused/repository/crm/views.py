from django.http import JsonResponse

from crm.models import Customer


def customers(request):
    names = list(Customer.objects.values_list("name", flat=True)[:50])
    return JsonResponse({"customers": names})

! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Models by address: functions of the user's, compiled elsewhere, with one of two argument lists.
!>
!> A function for a fit gets all points of one data set; a function for a group gets a block of rows of as many fits as
!> advance in lockstep, and is pointwise. Both may leave derivatives to forward differences, and stop a fit.
module native
    use, intrinsic :: iso_c_binding, only: c_double, c_funptr, c_int, c_int64_t, c_f_procpointer, c_ptr
    use kinds, only: wp, long
    use differences, only: difference_step
    use active, only: difference_in_box
    implicit none (type, external)
    private
    public :: fit_model, model_of, fit_function, group_function, evaluate_fit, differentiate_fit

    integer, parameter, public :: by_group = 0      !! in place of the number of a compiled model: for a group
    integer, parameter, public :: by_fit = -1       !! for a fit
    integer, parameter :: most_code = 100           !! codes to stop with are from 1 to this

    !> A model: a compiled one by its number, or a function by its address.
    type :: fit_model
        integer :: number                       !! of a compiled model, counted from 1; by_group, or by_fit
        logical :: derivatives                  !! whether it gives derivatives
        type(c_funptr) :: function              !! the function
        type(c_ptr) :: data                     !! what it gets as its last argument
    end type fit_model

    abstract interface
        !> Values at all points of a data set, and derivatives if they are asked for; 0, or a code to stop the fit.
        function fit_function(m, n, x, p, f, jac, data) bind(c) result(code)
            import :: c_double, c_int, c_int64_t, c_ptr
            implicit none (type, external)
            integer(c_int64_t), value :: m                      !! points
            integer(c_int64_t), value :: n                      !! parameters
            real(c_double), intent(in) :: x(*)                  !! predictors (m each), one after the other
            real(c_double), intent(in) :: p(*)                  !! parameters (n)
            real(c_double), intent(inout) :: f(*)               !! out: values (m)
            real(c_double), intent(inout), optional :: jac(*)   !! out: derivatives, those of a point together (n, m)
            type(c_ptr), value :: data
            integer(c_int) :: code
        end function fit_function

        !> Values of a block of rows of a group, and derivatives if the model has any; a bit for each fit to stop.
        function group_function(width, rows, stride, n, x, p, f, jac, data) bind(c) result(stopped)
            import :: c_double, c_int, c_int64_t, c_ptr
            implicit none (type, external)
            integer(c_int64_t), value :: width                  !! fits of a group
            integer(c_int64_t), value :: rows                   !! rows of the block
            integer(c_int64_t), value :: stride                 !! from one predictor, or parameter, to the next
            integer(c_int64_t), value :: n                      !! parameters
            real(c_double), intent(in) :: x(*)                  !! predictors (width, rows), `stride` apart
            real(c_double), intent(in) :: p(*)                  !! parameters (width, n)
            real(c_double), intent(inout) :: f(*)               !! out: values (width, rows)
            real(c_double), intent(inout), optional :: jac(*)   !! out: derivatives (width, rows), `stride` apart
            type(c_ptr), value :: data
            integer(c_int) :: stopped
        end function group_function
    end interface

contains

    !> Unpack a model that was handed in as numbers.
    pure function model_of(numbers) result(model)
        integer(long), intent(in) :: numbers(4)     !! number, 1 if it gives derivatives, address, address of its data
        type(fit_model) :: model

        model%number = int(numbers(1))
        model%derivatives = numbers(2) == 1
        model%function = transfer(numbers(3), model%function)
        model%data = transfer(numbers(4), model%data)
    end function model_of

    !> Evaluate a function for a fit.
    subroutine evaluate_fit(model, m, n, x, p, f, code)
        type(fit_model), intent(in) :: model
        integer, intent(in) :: m                    !! points
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: x(*)                !! predictors (m each), one after the other
        real(wp), intent(in) :: p(n)                !! parameters
        real(wp), intent(inout) :: f(m)             !! out: values
        integer, intent(out) :: code                !! 0, or the code to stop with, from 1 to most_code

        procedure(fit_function), pointer :: function

        call c_f_procpointer(model%function, function)
        code = limited(function(int(m, long), int(n, long), x, p, f, data=model%data))
    end subroutine evaluate_fit

    !> Take the derivatives of a function for a fit where its values are known; it may set these again.
    subroutine differentiate_fit(model, m, n, x, p, epsfcn, f, jac, shifted, code, bounds, interrupt)
        type(fit_model), intent(in) :: model
        integer, intent(in) :: m                    !! points
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: x(*)                !! predictors (m each), one after the other
        real(wp), intent(in) :: p(n)                !! parameters
        real(wp), intent(in) :: epsfcn              !! relative error of the values
        real(wp), intent(inout) :: f(m)             !! values; not looked at where the function gives derivatives
        real(wp), intent(inout) :: jac(n, *)        !! out: derivatives (n, m)
        real(wp), intent(inout) :: shifted(*)       !! work (m) where it takes differences
        integer, intent(out) :: code                !! 0, or the code to stop with, from 1 to most_code
        real(wp), intent(in), optional :: bounds(n, 2)  !! lower and upper, which differences do not leave; equal: fixed
        integer, intent(inout), volatile, optional :: interrupt !! leave off between evaluations once this is not 0

        procedure(fit_function), pointer :: function
        real(wp) :: point(n), h
        integer :: i, j

        if (model%derivatives) then
            call c_f_procpointer(model%function, function)
            code = limited(function(int(m, long), int(n, long), x, p, f, jac, model%data))
            return
        end if
        code = 0
        point = p
        do j = 1, n
            if (present(interrupt)) then
                if (interrupt /= 0) return
            end if
            h = difference_step(p(j), epsfcn)
            point(j) = p(j) + h
            if (present(bounds)) call difference_in_box(p(j), bounds(j, 1), bounds(j, 2), epsfcn, h, point(j))
            if (h == 0.0_wp) then
                jac(j, 1:m) = 0.0_wp
                cycle
            end if
            call evaluate_fit(model, m, n, x, point, shifted, code)
            if (code /= 0) return
            point(j) = p(j)
            do i = 1, m
                jac(j, i) = (shifted(i) - f(i))/h
            end do
        end do
    end subroutine differentiate_fit

    !> Bring a code to stop with into bounds.
    pure integer function limited(code)
        integer(c_int), intent(in) :: code

        limited = int(min(abs(int(code, long)), int(most_code, long)))
    end function limited

end module native

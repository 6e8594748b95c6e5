! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> A model with known first and second derivatives, and a record of how it was called.
module curved_model
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: curve_jacobian, curve_second, evaluate_curve, calls, stop_at

    integer :: calls = 0            !! evaluations so far
    integer :: stop_at = 0          !! the evaluation that asks to stop, if positive

contains

    !> Residuals exp(-x1 t) + x2² t + x3 at t = i/m.
    pure function curve(m, x) result(f)
        integer, intent(in) :: m
        real(wp), intent(in) :: x(3)
        real(wp) :: f(m)

        integer :: i

        f = [(exp(-x(1)*i/m) + x(2)**2*i/m + x(3), i=1, m)]
    end function curve

    pure function curve_jacobian(m, x) result(jac)
        integer, intent(in) :: m
        real(wp), intent(in) :: x(3)
        real(wp) :: jac(m, 3)

        real(wp) :: t
        integer :: i

        do i = 1, m
            t = real(i, wp)/m
            jac(i, :) = [-t*exp(-x(1)*t), 2.0_wp*x(2)*t, 1.0_wp]
        end do
    end function curve_jacobian

    !> Second derivative with respect to each parameter.
    pure function curve_second(m, x) result(second)
        integer, intent(in) :: m
        real(wp), intent(in) :: x(3)
        real(wp) :: second(m, 3)

        real(wp) :: t
        integer :: i

        do i = 1, m
            t = real(i, wp)/m
            second(i, :) = [t**2*exp(-x(1)*t), 2.0_wp*t, 0.0_wp]
        end do
    end function curve_second

    subroutine evaluate_curve(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        calls = calls + 1
        fvec = curve(m, x)
        if (calls == stop_at) iflag = -3
    end subroutine evaluate_curve

end module curved_model

! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Forward differences: the step rule, one column, and a whole Jacobian for Fortran callers.
module differences
    use kinds, only: wp, eps
    implicit none (type, external)
    private
    public :: difference_step, difference_column, fdjac2, residual_function

    abstract interface
        !> Evaluate the residuals; set iflag negative to stop.
        subroutine residual_function(m, n, x, fvec, iflag)
            import :: wp
            implicit none (type, external)
            integer, intent(in) :: m            !! residuals
            integer, intent(in) :: n            !! parameters
            real(wp), intent(in) :: x(n)        !! the point
            real(wp), intent(inout) :: fvec(m)  !! the residuals there
            integer, intent(inout) :: iflag     !! in: 1 evaluate, 0 print; out: negative to stop
        end subroutine residual_function
    end interface

contains

    !> Step for differencing with respect to one parameter: sqrt(epsfcn) relative to it, absolute at zero.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), FDJAC2. Identical to MINPACK-1.
    elemental function difference_step(x, epsfcn) result(h)
        real(wp), intent(in) :: x               !! the parameter
        real(wp), intent(in) :: epsfcn          !! relative error of the residuals; below eps counts as eps
        real(wp) :: h

        real(wp) :: relative_step

        relative_step = sqrt(max(epsfcn, eps))
        h = relative_step*abs(x)
        if (h == 0.0_wp) h = relative_step
    end function difference_step

    !> One column of the Jacobian, (f(x + h e_j) - f(x))/h.
    pure subroutine difference_column(m, shifted, f, h, column)
        integer, intent(in) :: m                !! residuals
        real(wp), intent(in) :: shifted(m)      !! residuals at x + h e_j
        real(wp), intent(in) :: f(m)            !! residuals at x
        real(wp), intent(in) :: h               !! the step, not zero
        real(wp), intent(out) :: column(m)      !! the derivatives

        integer :: i

        do i = 1, m
            column(i) = (shifted(i) - f(i))/h
        end do
    end subroutine difference_column

    !> Approximate a Jacobian by n forward differences.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), FDJAC2. Differs from MINPACK-1: x is put back on a stop.
    recursive subroutine fdjac2(fcn, m, n, x, fvec, fjac, ldfjac, iflag, epsfcn, wa)
        procedure(residual_function) :: fcn             !! evaluates the residuals
        integer, intent(in) :: m                        !! residuals
        integer, intent(in) :: n                        !! parameters
        integer, intent(in) :: ldfjac                   !! leading dimension of fjac, ldfjac >= m
        real(wp), intent(inout) :: x(n)                 !! the point; shifted and put back
        real(wp), intent(in) :: fvec(m)                 !! residuals at x
        real(wp), intent(inout) :: fjac(ldfjac, n)      !! out: the Jacobian
        integer, intent(out) :: iflag                   !! negative when fcn asked to stop
        real(wp), intent(in) :: epsfcn                  !! relative error of the residuals
        real(wp), intent(inout) :: wa(m)                !! work

        real(wp) :: held, h
        integer :: j

        do j = 1, n
            held = x(j)
            h = difference_step(held, epsfcn)
            x(j) = held + h
            iflag = 1
            call fcn(m, n, x, wa, iflag)
            x(j) = held
            if (iflag < 0) return
            call difference_column(m, wa, fvec, h, fjac(1, j))
        end do
    end subroutine fdjac2

end module differences
